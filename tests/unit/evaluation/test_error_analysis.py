from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, precision_score, recall_score

from lightning_emorec.evaluation.error_analysis import (
    Answers,
    by_actor,
    by_class,
    by_confidence,
    confusion,
    mistakes,
)
from lightning_emorec.evaluation.results import RunResults
from lightning_emorec.metrics import score
from lightning_emorec.part_logits import PartLogits


@pytest.fixture
def answers(results: RunResults) -> Answers:
    return Answers.of(results.output["test"], "emotion", results.tasks["emotion"])


@pytest.fixture
def many() -> PartLogits:
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 3, (400,), generator=generator)
    logits = 2 * torch.randn(400, 3, generator=generator) + torch.eye(3)[labels]
    return PartLogits([str(clip) for clip in range(400)], {"emotion": logits}, {"emotion": labels})


def test_confusion_and_its_reading_agree_with_scikit_learn(many: PartLogits) -> None:
    answers = Answers.of(many, "emotion", ["calm", "angry", "sad"])
    counts = confusion(answers)
    truth, said = answers.labels.numpy(), answers.predicted.numpy()
    np.testing.assert_array_equal(counts.numpy(), confusion_matrix(truth, said))
    rows = by_class(counts, answers.classes)
    np.testing.assert_allclose([row.recall for row in rows], recall_score(truth, said, average=None))
    np.testing.assert_allclose([row.precision for row in rows], precision_score(truth, said, average=None))


def test_confidence_bins_add_up_to_the_calibration_error(many: PartLogits) -> None:
    bins = by_confidence(Answers.of(many, "emotion", ["calm", "angry", "sad"]))
    gaps = sum(group.clips * abs(group.accuracy - group.confidence) for group in bins) / 400
    assert gaps == pytest.approx(score(many.logits["emotion"], many.labels["emotion"])["ece"], abs=1e-6)


def test_a_class_is_read_with_its_worst_confusion(answers: Answers) -> None:
    calm, angry, sad = by_class(confusion(answers), answers.classes)
    assert (calm.clips, calm.recall, calm.precision, calm.mistaken_clips) == (3, 1.0, 1.0, 0)
    assert (angry.clips, angry.recall, angry.mistaken_for, angry.mistaken_clips) == (2, 0.5, "sad", 1)
    assert (sad.clips, sad.recall, sad.precision, sad.mistaken_for) == (1, 0.0, 0.0, "angry")


def test_a_class_without_clips_or_predictions_has_no_recall_or_precision() -> None:
    (empty, _) = by_class(torch.tensor([[0, 0], [0, 3]]), ["calm", "angry"])
    assert (empty.recall, empty.precision) == (None, None)


def test_actors_come_in_natural_order_with_their_accuracy(answers: Answers, results: RunResults) -> None:
    rows = by_actor(answers, results.clips)
    assert [(row.actor, row.clips, row.accuracy) for row in rows] == [
        ("8", 2, 1.0),
        ("9", 2, 0.5),
        ("10", 2, 0.5),
    ]


def test_unlabelled_clips_are_not_counted(results: RunResults) -> None:
    answers = Answers.of(results.output["test"], "sex", results.tasks["sex"])
    assert answers.clip_ids == [f"test-{row}" for row in range(5)]
    assert int(confusion(answers).sum()) == 5


def test_mistakes_come_the_surest_first(results: RunResults) -> None:
    given = results.output["test"]
    surer = given.logits["emotion"] * torch.tensor([1, 1, 1, 1, 2, 1]).unsqueeze(1)
    part = PartLogits(given.clip_ids, {"emotion": surer}, {"emotion": given.labels["emotion"]})
    wrong = mistakes(Answers.of(part, "emotion", results.tasks["emotion"]), results.clips, {})
    assert [(one.clip.id, one.label, one.predicted) for one in wrong] == [
        ("test-4", "sad", "angry"),
        ("test-3", "angry", "sad"),
    ]
    assert wrong[0].probability > wrong[1].probability


def test_what_was_read_is_told_where_it_is_not_what_was_said(results: RunResults) -> None:
    answers = Answers.of(results.output["test"], "emotion", results.tasks["emotion"])

    def read(**texts: str) -> list[str | None]:
        named = {name.replace("_", "-"): text for name, text in texts.items()}
        return [one.read for one in mistakes(answers, results.clips, named)]

    assert read() == [None, None]
    assert read(test_3="TEXT, of test 3", test_4="Text of test four.") == [None, "Text of test four."]
    assert read(test_3="") == ["", None]
