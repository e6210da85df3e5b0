from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_score, recall_score

from lightning_emorec.evaluation.calibration import calibration
from lightning_emorec.evaluation.error_analysis import by_actor, by_class, mistakes
from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.evaluation.results import RunResults
from lightning_emorec.metrics import score
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import Clip

CLIPS = {str(number): Clip(str(number), "a", None) for number in range(400)}


def of_test(results: RunResults, task: str) -> Predictions:
    return Predictions.of(results.output["test"], task, results.tasks[task], results.clips)


def confusion(predictions: Predictions) -> NDArray[np.int64]:
    return predictions.confusions().sum(axis=0)  # type: ignore[no-any-return]


@pytest.fixture
def predictions(results: RunResults) -> Predictions:
    return of_test(results, "emotion")


@pytest.fixture
def many() -> PartLogits:
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 3, (400,), generator=generator)
    logits = 2 * torch.randn(400, 3, generator=generator) + torch.eye(3)[labels]
    return PartLogits([str(clip) for clip in range(400)], {"emotion": logits}, {"emotion": labels})


def test_confusion_and_its_reading_agree_with_scikit_learn(many: PartLogits) -> None:
    predictions = Predictions.of(many, "emotion", ["calm", "angry", "sad"], CLIPS)
    counts = confusion(predictions)
    truth, predicted = predictions.labels, predictions.predicted
    np.testing.assert_array_equal(counts, confusion_matrix(truth, predicted))
    rows = by_class(counts, predictions.classes)
    np.testing.assert_allclose([row.recall for row in rows], recall_score(truth, predicted, average=None))
    np.testing.assert_allclose(
        [row.precision for row in rows], precision_score(truth, predicted, average=None)
    )


def test_confidence_bins_add_up_to_the_calibration_error(many: PartLogits) -> None:
    bins = calibration(Predictions.of(many, "emotion", ["calm", "angry", "sad"], CLIPS)).bins
    gaps = sum(group.clips * abs(group.accuracy - group.confidence) for group in bins) / 400
    assert gaps == pytest.approx(score(many.logits["emotion"], many.labels["emotion"])["ece"], abs=1e-6)


def test_a_class_is_read_with_its_worst_confusion(predictions: Predictions) -> None:
    calm, angry, sad = by_class(confusion(predictions), predictions.classes)
    assert (calm.clips, calm.recall, calm.precision, calm.mistaken_clips) == (3, 1.0, 1.0, 0)
    assert (angry.clips, angry.recall, angry.mistaken_for, angry.mistaken_clips) == (2, 0.5, "sad", 1)
    assert (sad.clips, sad.recall, sad.precision, sad.mistaken_for) == (1, 0.0, 0.0, "angry")


def test_a_class_without_clips_or_predictions_has_no_recall_or_precision() -> None:
    (empty, _) = by_class(np.array([[0, 0], [0, 3]]), ["calm", "angry"])
    assert (empty.recall, empty.precision) == (None, None)


def test_actors_come_in_natural_order_with_their_accuracy(predictions: Predictions) -> None:
    rows = by_actor(predictions)
    assert [(row.actor, row.clips, row.accuracy) for row in rows] == [
        ("8", 2, 1.0),
        ("9", 2, 0.5),
        ("10", 2, 0.5),
    ]


def test_unlabelled_clips_are_not_counted(results: RunResults) -> None:
    predictions = of_test(results, "sex")
    assert predictions.clip_ids == [f"test-{row}" for row in range(5)]
    assert int(confusion(predictions).sum()) == 5


def test_mistakes_come_by_falling_confidence(results: RunResults) -> None:
    given = results.output["test"]
    surer = given.logits["emotion"] * torch.tensor([1, 1, 1, 1, 2, 1]).unsqueeze(1)
    part = PartLogits(given.clip_ids, {"emotion": surer}, {"emotion": given.labels["emotion"]})
    wrong = mistakes(
        Predictions.of(part, "emotion", results.tasks["emotion"], results.clips), results.clips, {}
    )
    assert [(one.clip.id, one.label, one.predicted) for one in wrong] == [
        ("test-4", "sad", "angry"),
        ("test-3", "angry", "sad"),
    ]
    assert wrong[0].probability > wrong[1].probability


def test_a_transcript_is_shown_where_it_differs_from_the_text(results: RunResults) -> None:
    predictions = of_test(results, "emotion")

    def read(**texts: str) -> list[str | None]:
        named = {name.replace("_", "-"): text for name, text in texts.items()}
        return [one.read for one in mistakes(predictions, results.clips, named)]

    assert read() == [None, None]
    assert read(test_3="TEXT, of test 3", test_4="Text of test four.") == [None, "Text of test four."]
    assert read(test_3="") == ["", None]
