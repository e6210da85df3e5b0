from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score, recall_score

from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.evaluation.results import RunResults
from lightning_emorec.metrics import recalls_of, score, scores_of
from lightning_emorec.types import UNLABELLED
from tests.unit.evaluation.made_up import predicting, predictions, random_predictions, shuffled


def test_predictions_of_a_part_leave_unlabelled_clips_out(results: RunResults) -> None:
    found = Predictions.of(results.output["test"], "sex", results.tasks["sex"], results.clips)
    assert found.clip_ids == [f"test-{row}" for row in range(5)]
    assert found.actors == ["8", "8", "10", "10", "9"]
    assert found.labels.tolist() == found.predicted.tolist() == [0, 0, 0, 1, 1]
    assert found.classes == ["male", "female"]
    assert found.confidence.tolist() == pytest.approx([math.e**2 / (math.e**2 + 1)] * 5)


def test_logits_that_are_not_a_number_are_refused(results: RunResults) -> None:
    part = results.output["test"]
    logits = part.logits["emotion"].clone()
    logits[1, 0] = math.nan
    broken = replace(part, logits={**part.logits, "emotion": logits})
    with pytest.raises(EmorecError, match="NaN or infinity for 1 of 6 clips"):
        Predictions.of(broken, "emotion", results.tasks["emotion"], results.clips)


def test_clips_are_counted_by_actor_class_and_prediction() -> None:
    counts = predictions(("b", [0, 1], [0, 0]), ("a", [1, 1, 0], [1, 1, 1])).confusions()
    assert counts.tolist() == [[[0, 1], [0, 2]], [[1, 0], [1, 0]]]


@pytest.mark.parametrize("seed", range(3))
def test_scores_of_a_confusion_matrix_agree_with_scikit_learn(seed: int) -> None:
    model = random_predictions(seed)
    counts = model.confusions().sum(axis=0)
    scores = scores_of(counts)
    truth, said = model.labels, model.predicted
    assert scores["accuracy"] == pytest.approx((truth == said).mean(), rel=1e-12)
    assert scores["uar"] == pytest.approx(balanced_accuracy_score(truth, said), rel=1e-12)
    assert scores["macro_f1"] == pytest.approx(f1_score(truth, said, average="macro"), rel=1e-12)
    assert scores["weighted_f1"] == pytest.approx(f1_score(truth, said, average="weighted"), rel=1e-12)
    np.testing.assert_allclose(recalls_of(counts), recall_score(truth, said, average=None))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([0, 0, 1, 1], [0, 2, 1, 1]),  # class 2 is said and never right, class 3 does not occur
        ([0, 0, 0], [0, 1, 0]),  # one class only
        ([0, 0], [1, 1]),  # nothing right
        ([0, 1, 2, 3], [0, 0, 0, 0]),  # one class only is said
    ],
)
def test_scores_of_a_confusion_matrix_are_those_of_a_run(labels: list[int], said: list[int]) -> None:
    counts = predictions(("a", labels, said), classes=4).confusions().sum(axis=0)
    of_run = score(10 * torch.eye(4)[said], torch.tensor(labels))
    for name, value in scores_of(counts).items():
        assert value == pytest.approx(of_run[name], abs=1e-7), name  # torchmetrics counts in float32


def test_clips_are_brought_into_the_order_of_another_model() -> None:
    model = random_predictions(1)
    back = shuffled(model).in_order_of(model, ("one", "two"))
    assert back.clip_ids == model.clip_ids
    assert back.predicted.tolist() == model.predicted.tolist()


def test_other_clips_are_refused() -> None:
    model = predictions(("a", [0, 1], [0, 1]))
    other = replace(model, clip_ids=["clip-0", "clip-7"])
    with pytest.raises(
        EmorecError, match="same clips for one and two; found 2 that only one has, such as clip-1"
    ):
        other.in_order_of(model, ("one", "two"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"labels": np.array([0, 0])},
            r"labels and actors for one and two; found .*\(0, 'a'\) and \(1, 'a'\)",
        ),
        ({"actors": ["a", "b"]}, r"\(1, 'b'\) and \(1, 'a'\) for clip-1"),
        ({"classes": ["a", "b"]}, "same classes for one and two; found a, b and class 0, class 1"),
    ],
)
def test_other_labels_actors_or_classes_are_refused(change: dict[str, Any], message: str) -> None:
    model = predictions(("a", [0, 1], [0, 1]))
    with pytest.raises(EmorecError, match=message):
        replace(model, **change).in_order_of(model, ("one", "two"))


def test_a_clip_that_is_there_twice_is_refused() -> None:
    model = predictions(("a", [0, 1], [0, 1]))
    with pytest.raises(EmorecError, match="each clip once; found clip-0 2 times"):
        replace(model, clip_ids=["clip-0", "clip-0"])


def test_no_clips_are_refused() -> None:
    with pytest.raises(EmorecError, match="at least one labelled clip; found none"):
        predictions()


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"differ in number: \[2, 2, 1, 2, 2\]"):
        predicting(predictions(("a", [0, 1], [0, 1])), [0])


@pytest.mark.parametrize("said", [[0, 2], [0, UNLABELLED], [0, math.nan], [0.0, 1.0]])
def test_predictions_that_are_no_class_are_refused(said: list[Any]) -> None:
    with pytest.raises(ValueError, match="predictions must be whole numbers from 0 to 1"):
        predicting(predictions(("a", [0, 1], [0, 1])), said)
