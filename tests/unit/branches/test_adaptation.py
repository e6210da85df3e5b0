from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lightning_emorec.branches import WhisperStatistics
from lightning_emorec.speaker_scores import KnownClips, SpeakerScores, adapted_logits
from lightning_emorec.types import Batch, Clip
from tests.unit.branches.training import training_of

TASKS = {"emotion": ["angry", "calm", "sad"], "sex": ["female", "male"]}
ACTORS, CLIPS = 12, 18  # the last 4 actors are new ones
CLASS = np.tile([0, 1, 2], ACTORS * CLIPS // 3)
SPEAKER = np.repeat(np.arange(ACTORS), CLIPS)
TRAINING = SPEAKER < 8


def drawn() -> np.ndarray:
    """(clips, 2 views, 1 + 1 layers, 5, 8): speakers differ much more than classes do, in the same means."""
    draw = np.random.default_rng(0)
    made = draw.normal(size=(len(CLASS), 1, 8)) + 0.2 * draw.normal(size=(len(CLASS), 2, 8))
    made[..., :3] += 1.5 * np.eye(3)[CLASS][:, None]
    made += 3 * draw.normal(size=(ACTORS, 1, 8))[SPEAKER]
    statistics = np.zeros((len(CLASS), 2, 2, 5, 8), np.float16)
    statistics[:, :, 1, 0] = made
    return statistics


VALUES = drawn()


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOREC_WHISPER", "tiny.en")


def clip_of(number: int, actor: str | None = None) -> Clip:
    speaker = SPEAKER[number]
    labels = {"emotion": TASKS["emotion"][CLASS[number]], "sex": TASKS["sex"][speaker % 2]}
    return Clip(str(number), str(speaker) if actor is None else actor, None, labels)


def solved(adapt: str = "speaker", actor: str | None = None) -> WhisperStatistics:
    branch = WhisperStatistics(TASKS, views=2, c=1.0, adapt=adapt)  # type: ignore[arg-type]
    places = np.flatnonzero(TRAINING).tolist()
    branch.solve(training_of(branch, list(VALUES[TRAINING]), [clip_of(place, actor) for place in places]))
    return branch.eval()


def batch_of(branch: WhisperStatistics, values: np.ndarray) -> Batch:
    rows = branch.features[0].collate(list(values))
    nothing = torch.zeros(len(values), 0)
    names = [str(row) for row in range(len(values))]
    return Batch(names, torch.arange(len(values)), nothing, nothing, {}, {branch.feature_keys[0]: rows})


def others(scores: SpeakerScores, speakers: np.ndarray) -> KnownClips:
    """For each clip the other clips of its speaker."""
    same = torch.from_numpy(speakers[:, None] == speakers).float()
    return KnownClips.among(scores, same.fill_diagonal_(0))


def accuracy(logits: torch.Tensor) -> float:
    return float((logits.argmax(dim=1).numpy() == CLASS[~TRAINING]).mean())


def test_clips_of_a_new_speaker_are_told_apart_better_when_others_of_the_speaker_are_known() -> None:
    branch = solved()
    batch = batch_of(branch, VALUES[~TRAINING])
    logits = branch(batch)
    scores = branch.speaker_scores(batch, logits)["emotion"]
    known = others(scores, SPEAKER[~TRAINING])
    assert accuracy(logits["emotion"]) < 0.7
    assert accuracy(adapted_logits(scores, known)) > accuracy(logits["emotion"]) + 0.1


def test_the_unadapted_solution_is_bit_for_bit_that_of_a_branch_without_adaptation() -> None:
    with_, without = solved(), solved("none")
    batch = batch_of(without, VALUES)
    for task, logits in without(batch).items():
        assert torch.equal(with_(batch)[task], logits)
    assert without.speaker_scores(batch, without(batch)) == {}
    assert not any("adapted" in key for key in without.state_dict())


def test_scores_of_the_first_solution_are_those_that_the_logits_are_made_from() -> None:
    branch = solved()
    batch = batch_of(branch, VALUES)
    logits = branch(batch)
    for task, scores in branch.speaker_scores(batch, logits).items():
        made = adapted_logits(scores, others(scores, np.arange(len(VALUES))))
        torch.testing.assert_close(made, logits[task], atol=1e-6, rtol=0)


def test_a_task_that_is_fixed_in_each_speaker_is_not_adapted() -> None:
    branch = solved()
    batch = batch_of(branch, VALUES)
    logits = branch(batch)
    scores = branch.speaker_scores(batch, logits)["sex"]
    assert scores.ratio.eq(math.inf).all()
    made = adapted_logits(scores, others(scores, SPEAKER))
    torch.testing.assert_close(made, logits["sex"], atol=1e-6, rtol=0)


def test_training_clips_of_which_nobody_knows_the_speaker_are_not_adapted_as_one_person() -> None:
    branch = solved(actor="unknown")
    assert branch.adapted is not None
    assert branch.adapted.kept["emotion"]["ratio"] == math.inf
    for mine, other in zip(branch.adapted.heads.parameters(), branch.readout.heads.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_a_checkpoint_keeps_what_adapts() -> None:
    branch = solved()
    copy = WhisperStatistics(TASKS, views=2, c=1.0, adapt="speaker")
    copy.load_state_dict(branch.state_dict())
    batch = batch_of(branch, VALUES[:5])
    logits = branch(batch)
    for task, scores in branch.speaker_scores(batch, logits).items():
        again = copy.speaker_scores(batch, copy(batch))[task].to_state()
        assert all(torch.equal(values, again[name]) for name, values in scores.to_state().items())
