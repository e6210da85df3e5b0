from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lightning_emorec.confidence import Confidence
from lightning_emorec.fusion import FittedRules, LogLinear, SpeakerAdaptation
from lightning_emorec.fusion.known_clips import (
    DrawnClips,
    adapted_parts,
    clips_of_speakers,
)
from lightning_emorec.part_logits import PartLogits

ACTORS, CLIPS = 8, 24  # four to learn from, four to judge


def part_of(seed: int, noise: float, actors: range) -> PartLogits:
    """Logits of three classes, to which each actor adds an offset."""
    draw = torch.Generator().manual_seed(seed)
    offsets = 2 * torch.randn(ACTORS, 3, generator=draw)
    labels = torch.tensor([0, 1, 2] * (ACTORS * CLIPS // 3))
    rows = 2 * torch.eye(3)[labels] + noise * torch.randn(len(labels), 3, generator=draw)
    rows += offsets.repeat_interleave(CLIPS, dim=0)
    kept = [actor * CLIPS + clip for actor in actors for clip in range(CLIPS)]
    return PartLogits([str(row) for row in kept], {"emotion": rows[kept]}, {"emotion": labels[kept]})


ACTOR_OF = {str(row): str(row // CLIPS) for row in range(ACTORS * CLIPS)}
VALIDATION = {"a": part_of(0, 1.0, range(4)), "b": part_of(1, 2.0, range(4))}
TEST = {"a": part_of(0, 1.0, range(4, 8)), "b": part_of(1, 2.0, range(4, 8))}


def adaptation(parts: dict[str, PartLogits] = VALIDATION) -> SpeakerAdaptation:
    fitted = FittedRules({"log_linear": LogLinear()}, ["emotion"], {"a": True, "b": True})
    fitted.fit(VALIDATION)
    return SpeakerAdaptation(parts, ACTOR_OF, fitted, "log_linear")


def fused(made: SpeakerAdaptation, parts: dict[str, PartLogits], known: DrawnClips) -> PartLogits:
    return made.fused(made.adapted(parts, known), known.numbers())


def accuracy(part: PartLogits) -> float:
    return float((part.logits["emotion"].argmax(dim=1) == part.labels["emotion"]).double().mean())


def test_a_fusion_of_branches_without_scores_of_their_own_gains_by_their_logits() -> None:
    made = adaptation()
    known = DrawnClips(clips_of_speakers(TEST, ACTOR_OF), None, 1)
    assert accuracy(fused(made, TEST, known)) > accuracy(made.fused(TEST, {})) + 0.05


def test_without_known_clips_it_is_the_unadapted_fusion() -> None:
    made = adaptation()
    assert made.fitted is not None
    known = DrawnClips(clips_of_speakers(TEST, ACTOR_OF), 0, 1)
    expected = made.fitted.fuse_parts(TEST)["log_linear"]
    torch.testing.assert_close(
        fused(made, TEST, known).logits["emotion"], expected.logits["emotion"], atol=1e-6, rtol=0
    )


def test_one_actor_with_a_single_clip_leaves_the_modes_to_the_others() -> None:
    ids = [clip for clip in VALIDATION["a"].clip_ids if ACTOR_OF[clip] != "0"] + ["0"]
    made = adaptation({name: part.select(ids) for name, part in VALIDATION.items()})
    assert made.grid == [1, 2, 4, 8, 16, CLIPS - 1]
    mode = made.mode(8)
    assert mode is not None
    found = mode.confidence("emotion")
    assert found is not None
    assert len(found.scores) == len(ids)


def test_the_mode_is_that_of_the_largest_number_in_the_grid_that_is_known() -> None:
    made = adaptation()
    assert made.grid == [1, 2, 4, 8, 16, CLIPS - 1]
    assert made.mode(0) is None
    for known, clips in ((1, 1), (7, 4), (8, 8), (22, 16), (23, 23), (900, 23)):
        mode = made.mode(known)
        assert mode is not None
        assert mode.clips == clips
    assert made.mode(9) is made.mode(15)


def test_each_mode_has_its_own_rule_and_its_own_confidence() -> None:
    made = adaptation()
    few, many = made.mode(1), made.mode(CLIPS - 1)
    assert few is not None
    assert many is not None
    known = [mode.confidence("emotion") for mode in (few, many)]
    assert all(isinstance(of, Confidence) and of.actors == 4 for of in known)
    assert known[0] is not None
    assert known[1] is not None
    assert known[0].temperature != known[1].temperature
    assert made.fitted is not None
    assert few.fitted is not None
    assert few.fitted.shares("log_linear", "emotion") != made.fitted.shares("log_linear", "emotion")


def test_where_no_validation_logits_are_kept_there_is_no_mode_and_nothing_is_adapted() -> None:
    made = adaptation({})
    assert made.grid == []
    assert made.mode(8) is None
    known = DrawnClips(clips_of_speakers(TEST, ACTOR_OF), None, 1)
    assert torch.equal(made.adapted(TEST, known)["a"].logits["emotion"], TEST["a"].logits["emotion"])


def test_a_validation_actor_is_adapted_by_what_is_learned_from_the_others() -> None:
    """Labels of actor 0 must not reach the logits of actor 0, or its prediction sets would be too small."""
    planted = {}
    for name, part in VALIDATION.items():
        labels = part.labels["emotion"].clone()
        labels[:CLIPS] = 2 - labels[:CLIPS]
        planted[name] = replace(part, labels={"emotion": labels})
    honest, other = adaptation().mode(8), adaptation(planted).mode(8)
    assert honest is not None
    assert other is not None
    for name in VALIDATION:
        mine, others = (of.parts[name].logits["emotion"] for of in (honest, other))
        assert torch.equal(mine[:CLIPS], others[:CLIPS])
        assert not torch.equal(mine[CLIPS:], others[CLIPS:])


def test_labels_of_the_judged_clips_reach_nothing() -> None:
    made = adaptation()
    known = DrawnClips(clips_of_speakers(TEST, ACTOR_OF), 8, 1)
    planted = {
        name: replace(part, labels={"emotion": part.labels["emotion"] * 0}) for name, part in TEST.items()
    }
    assert torch.equal(*(fused(made, parts, known).logits["emotion"] for parts in (TEST, planted)))


@pytest.mark.parametrize("name", ["", "nan", "Unknown"])
def test_clips_of_nobody_are_never_adapted_as_one_person(name: str) -> None:
    nobody = dict.fromkeys(TEST["a"].clip_ids, name) | {
        clip: ACTOR_OF[clip] for clip in VALIDATION["a"].clip_ids
    }
    assert clips_of_speakers(TEST, nobody) == {}
    known = DrawnClips(clips_of_speakers(TEST, nobody), None, 0)
    made = adapted_parts(TEST, adaptation().scores(TEST), known)
    assert torch.equal(made["a"].logits["emotion"], TEST["a"].logits["emotion"])


def test_a_branch_that_lacks_some_clips_is_adapted_by_those_that_it_takes() -> None:
    few = {**TEST, "b": TEST["b"].select(TEST["b"].clip_ids[::2])}
    made = adaptation().adapted(few, DrawnClips(clips_of_speakers(few, ACTOR_OF), 4, 0))
    assert made["b"].clip_ids == few["b"].clip_ids
    assert not torch.equal(made["b"].logits["emotion"], few["b"].logits["emotion"])


def test_scores_of_a_part_are_kept_with_its_logits() -> None:
    scores = adaptation().scores(TEST)["a"]
    part = replace(TEST["a"], speakers=scores)
    again = PartLogits.of_state(part.to_state())
    joined = PartLogits.join([part.select(part.clip_ids[:7]), part.select(part.clip_ids[7:])])
    for other in (again, joined):
        for name, values in scores["emotion"].to_state().items():
            torch.testing.assert_close(other.speakers["emotion"].to_state()[name], values)


def test_clips_of_which_different_numbers_are_known_are_fused_by_different_rules() -> None:
    made = adaptation()
    known = DrawnClips(clips_of_speakers(TEST, ACTOR_OF), 8, 0)
    parts, counts = made.adapted(TEST, known), known.numbers()
    some = {clip: number for clip, number in counts.items() if int(clip) % 2}
    mixed, all_, none = (made.fused(parts, of).logits["emotion"] for of in (some, counts, {}))
    assert torch.equal(mixed[1::2], all_[1::2])
    assert torch.equal(mixed[::2], none[::2])
    assert not torch.equal(all_, none)
