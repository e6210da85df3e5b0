from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import Tensor

from lightning_emorec.branches.calibrated import calibrate, decision_scores
from lightning_emorec.branches.functionals import FunctionalsSvc
from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Batch, Clip
from tests.unit.branches.training import training_of

TASKS = {"emotion": ["angry", "calm", "sad"], "sex": ["female", "male"], "height": ["small", "tall"]}
DRAW = np.random.default_rng(0)
CLASS = np.tile([0, 1, 2], 20)
SEX = np.repeat([0, 1], 30)
ACTORS = [str(clip // 10) for clip in range(60)]


def drawn(scale: float) -> NDArray[np.float32]:
    """(60, 386): a third of the numbers tells each emotion, and some the sex."""
    emotion = 0.3 * np.repeat(np.eye(3)[CLASS], 129, axis=1)[:, :386]
    sex = 2 * SEX[:, None] * (np.arange(386) % 10 == 0)
    return (scale * (DRAW.normal(size=(60, 386)) + emotion + sex)).astype(np.float32)


VALUES = drawn(scale=3.0)


def clip_of(number: int) -> Clip:
    labels = {"emotion": TASKS["emotion"][CLASS[number]]}
    if number >= 10:  # the first actor's sex is not known, and nobody's height
        labels["sex"] = TASKS["sex"][SEX[number]]
    return Clip(str(number), ACTORS[number], None, labels)


def solved(clips: list[Clip], **arguments: Any) -> FunctionalsSvc:
    branch = FunctionalsSvc(TASKS, functionals="librosa", **arguments)
    branch.solve(training_of(branch, list(VALUES[: len(clips)]), clips))
    return branch.eval()


@pytest.fixture(scope="module")
def branch() -> FunctionalsSvc:
    return solved([clip_of(number) for number in range(60)], c=2.0, folds=6)


def logits(branch: FunctionalsSvc, values: Any) -> dict[str, Tensor]:
    rows = torch.from_numpy(values)
    clips = len(rows)
    return branch(
        Batch(
            [str(clip) for clip in range(clips)],
            torch.arange(clips),
            torch.zeros(clips, 1),
            torch.zeros(clips, dtype=torch.long),
            {},
            {branch.feature_keys[0]: rows},
        )
    )


def test_logits_are_calibrated_scores_of_scikit_learn(branch: FunctionalsSvc) -> None:
    scaler = StandardScaler().fit(VALUES)
    reference = OneVsRestClassifier(SVC(C=2.0, gamma=1 / 386)).fit(scaler.transform(VALUES), CLASS)
    held_out = np.zeros((60, 3))
    for actor in set(ACTORS):
        mine = np.array(ACTORS) == actor
        inner = StandardScaler().fit(VALUES[~mine])
        others = OneVsRestClassifier(SVC(C=2.0, gamma=1 / 386)).fit(
            inner.transform(VALUES[~mine]), CLASS[~mine]
        )
        held_out[mine] = others.decision_function(inner.transform(VALUES[mine]))
    weight, bias = calibrate(held_out / held_out.std(), CLASS)
    scores = decision_scores(reference, scaler.transform(VALUES), 3) / held_out.std()
    made = logits(branch, VALUES)["emotion"].numpy()
    np.testing.assert_allclose(made, scores @ weight.T + bias, atol=1e-2)  # libsvm itself stops at 1e-3


def test_unlabelled_clips_teach_their_task_nothing(branch: FunctionalsSvc) -> None:
    known = slice(10, 60)
    standard = StandardScaler().fit(VALUES).transform(VALUES)
    reference = SVC(C=2.0, gamma=1 / 386).fit(standard[known], SEX[known])
    log_odds = logits(branch, VALUES)["sex"].diff(dim=1)[:, 0].numpy()
    assert np.corrcoef(log_odds, reference.decision_function(standard))[0, 1] == pytest.approx(1, abs=1e-4)


def test_a_task_that_nobody_labels_is_undecided(branch: FunctionalsSvc) -> None:
    assert logits(branch, VALUES)["height"].softmax(dim=1).unique().tolist() == [0.5]


def test_probabilities_are_no_surer_than_they_are_right(branch: FunctionalsSvc) -> None:
    made = logits(branch, drawn(scale=3.0))["emotion"].softmax(dim=1)
    right = (made.argmax(dim=1).numpy() == CLASS).mean()
    assert 0.5 < right < 0.95
    assert float(made.max(dim=1).values.mean()) == pytest.approx(right, abs=0.1)
    heard = logits(branch, VALUES)["emotion"].argmax(dim=1)
    assert (heard.numpy() == CLASS).all()  # of the clips that it was fitted on it is too sure


def test_one_training_actor_is_refused() -> None:
    with pytest.raises(EmorecError, match="at least two training actors"):
        solved([clip_of(number) for number in range(10)])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [({"c": 0.0}, "c above 0"), ({"gamma": -1.0}, "gamma above 0"), ({"folds": 1}, "folds of at least 2")],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(EmorecError, match=complaint):
        FunctionalsSvc(TASKS, **arguments)
