from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lightning_emorec.evaluation.adaptation import (
    AdaptedRow,
    Sample,
    _judged,
    _p_values,
    adapted_content,
    adapted_rows,
    adapted_sentence,
    samples_of,
)
from lightning_emorec.evaluation.intervals import Bootstrap
from lightning_emorec.evaluation.results import Fold, RunResults, System
from lightning_emorec.evaluation.system_plots import learning_curve_figure
from lightning_emorec.fusion import FittedRules, LogLinear, SpeakerAdaptation, found_confidence
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import Clip

CLASSES = ["angry", "neutral", "sad"]
CLIPS, ACTORS = 18, 8  # of each actor; four to learn from, four to test on
ACTOR_OF = {str(row): str(row // CLIPS) for row in range(CLIPS * ACTORS)}
CHOSEN = System("log_linear", "rule")


def part_of(seed: int, actors: range) -> PartLogits:
    draw = torch.Generator().manual_seed(seed)
    offsets = 2 * torch.randn(ACTORS, 3, generator=draw)
    labels = torch.tensor([0, 1, 2] * (ACTORS * CLIPS // 3))
    rows = 2 * torch.eye(3)[labels] + torch.randn(len(labels), 3, generator=draw)
    rows += offsets.repeat_interleave(CLIPS, dim=0)
    kept = [actor * CLIPS + clip for actor in actors for clip in range(CLIPS)]
    return PartLogits([str(row) for row in kept], {"emotion": rows[kept]}, {"emotion": labels[kept]})


def results(adapted: bool = True) -> RunResults:
    known = {name: part_of(seed, range(4)) for seed, name in enumerate("ab")}
    test = {name: part_of(seed, range(4, 8)) for seed, name in enumerate("ab")}
    fitted = FittedRules({"log_linear": LogLinear()}, ["emotion"], {"a": True, "b": True})
    fitted.fit(known)
    fused = fitted.fuse_parts(test)["log_linear"]
    logits = {**{System(name): {"test": part} for name, part in test.items()}, CHOSEN: {"test": fused}}
    labels = fused.labels["emotion"].tolist()
    clips = {
        clip: Clip(clip, ACTOR_OF[clip], None, {"emotion": CLASSES[label]})
        for clip, label in zip(fused.clip_ids, labels, strict=True)
    }
    adaptation = SpeakerAdaptation(known, ACTOR_OF, fitted, "log_linear") if adapted else None
    fold = Fold(logits, {"train": [], "val": [], "test": []}, adaptation=adaptation)  # type: ignore[arg-type]
    return RunResults("made", {"emotion": CLASSES}, clips, [fold], CHOSEN)


@pytest.fixture(scope="module")
def rows() -> list[AdaptedRow]:
    return adapted_rows(results(), Bootstrap(resamples=50))


def test_a_learning_curve_rises_where_speakers_differ(rows: list[AdaptedRow]) -> None:
    curve = {row.sample.clips: row for row in rows if row.sample.kind == "others"}
    assert list(curve) == [1, 2, 4, 8, 16, None]
    assert curve[None].uar_gain.value > 0.03
    assert curve[None].uar.value > curve[1].uar.value
    assert curve[None].nll < curve[1].nll
    assert set(curve[8].branches) == {"a", "b"}


def test_the_unadapted_row_is_that_of_the_model(rows: list[AdaptedRow]) -> None:
    made = results()
    part = made.folds[0].logits[CHOSEN]["test"]
    right = (part.logits["emotion"].argmax(dim=1) == part.labels["emotion"]).double().mean()
    assert rows[0].sample.kind == "unadapted"
    assert rows[0].accuracy.value == pytest.approx(float(right))
    assert rows[0].uar_gain.value == 0
    assert rows[0].p == {"accuracy": 1, "uar": 1}


def test_gains_are_tested_over_actors() -> None:
    """All of four actors gain one clip of four, and no pattern of four signs is rarer than 1 in 8."""
    before = np.tile([[1.0, 1.0], [0.0, 2.0]], (4, 1, 1))
    after = np.tile([[2.0, 0.0], [0.0, 2.0]], (4, 1, 1))
    assert _p_values(after, before, Bootstrap()) == {"accuracy": 0.125, "uar": 0.125}


def test_the_judged_clip_alone_is_a_sample_of_one(rows: list[AdaptedRow]) -> None:
    alone = next(row for row in rows if row.sample.kind == "with the judged clip" and row.sample.clips == 1)
    assert alone.sample.label == "1 with the judged clip"
    assert alone.accuracy.value != rows[0].accuracy.value


def test_one_sided_samples_are_of_classes_that_the_task_has() -> None:
    eight = ["neutral", "calm", "happy", "sad", "angry", "fearful"]
    assert [sample.classes for sample in samples_of(eight)[-2:]] == [
        ("angry", "happy", "fearful"),
        ("neutral",),
    ]
    assert [sample.classes for sample in samples_of(["low", "high"])[-2:]] == [("low", "high"), ("low",)]
    assert samples_of(eight)[-1].label == "all other clips that are neutral"


def test_a_set_is_founded_on_the_mode_of_the_clips_that_are_known(rows: list[AdaptedRow]) -> None:
    assert rows[0].coverage is None  # the made-up fold has no confidence of its own
    assert all(row.coverage is not None and row.coverage > 0.5 for row in rows[1:6])


def test_where_no_mode_founds_a_set_none_is_founded_on_unadapted_clips() -> None:
    """As `predict` withholds them."""
    made = results()
    known = made.folds[0].adaptation
    assert known is not None
    ids = [str(row) for row in (0, CLIPS, 2 * CLIPS, *range(3 * CLIPS, 4 * CLIPS))]
    few = {name: part.select(ids) for name, part in known.parts.items()}
    confidence = found_confidence(known.parts["a"], "emotion", ACTOR_OF)
    fold = replace(made.folds[0], adaptation=replace(known, parts=few), confidence=confidence)
    rows = adapted_rows(replace(made, folds=[fold]), Bootstrap(resamples=2))
    assert [row.coverage is None for row in rows[:4]] == [False, True, True, True]


def test_a_model_that_is_not_adapted_has_no_rows() -> None:
    assert adapted_rows(results(adapted=False)) == []


def test_labels_of_test_clips_change_no_logits() -> None:
    made = results()
    fold = made.folds[0]
    planted = {
        system: {"test": replace(of["test"], labels={"emotion": of["test"].labels["emotion"] * 0})}
        for system, of in fold.logits.items()
    }
    logits = []
    for of in (fold, replace(fold, logits=planted)):  # type: ignore[arg-type]
        parts = {name: of.logits[System(name)]["test"] for name in "ab"}
        assert of.adaptation is not None
        scores = of.adaptation.scores(parts)
        logits.append(_judged(made, of, parts, scores, Sample("others", 8), 1).whole.logits["emotion"])
    assert torch.equal(*logits)
    assert not torch.equal(logits[0], fold.logits[CHOSEN]["test"].logits["emotion"])


def test_what_is_written_and_told_is_marked_as_transductive(rows: list[AdaptedRow]) -> None:
    content = adapted_content(rows)
    assert content["transductive"] is True
    assert content["rows"][0]["uar"]["interval"] is not None
    assert content["rows"][-1]["classes"] == ("neutral",)
    assert adapted_sentence(rows).startswith("transductive, not the headline: UAR")
    assert learning_curve_figure(rows).count("neutral") >= 1
