from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from torch import Tensor

from lightning_emorec.branches import TfidfSvc
from lightning_emorec.branches.calibrated import held_out_scores
from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Batch, Clip
from tests.unit.branches.training import training_of

TASKS = {"emotion": ["angry", "calm", "sad"], "sex": ["female", "male"]}
SAID = {
    "angry": ["leave me alone", "get out now", "stop it now", "leave it alone"],
    "calm": ["by the sea", "at the door", "the sea is near", "near the door"],
    "sad": ["she is gone", "gone for good", "all is lost", "lost for good"],
}


def clips(**replaced: str) -> list[Clip]:
    made = []
    for emotion, texts in SAID.items():
        for number, text in enumerate(texts * 3):
            labels = {"emotion": replaced.get(emotion, emotion), "sex": "female" if number % 2 else "male"}
            made.append(Clip(f"{emotion}{number}", str(number % 4), None, labels, text))
    return made


def solved(training: list[Clip], **arguments: Any) -> TfidfSvc:
    branch = TfidfSvc(TASKS, transcript="reference", **{"min_count": 1, "folds": 4, **arguments})
    values = [{"text": clip.text} for clip in training]
    branch.solve(training_of(branch, values, training))
    return branch


def logits(branch: TfidfSvc, *texts: str) -> dict[str, Tensor]:
    features: dict[str, Tensor | list[str]] = {branch.features[0].key: list(texts)}
    nothing = torch.zeros(len(texts), 0)
    return branch(Batch(list(texts), torch.arange(len(texts)), nothing, nothing, {}, features))


def machine(branch: TfidfSvc, training: list[Clip]) -> tuple[Any, np.ndarray, np.ndarray, list[str]]:
    texts = np.array([clip.text for clip in training], dtype=object)
    found = np.array([TASKS["emotion"].index(clip.labels["emotion"]) for clip in training])
    pipeline = make_pipeline(
        branch.linear.vectorisers(), LinearSVC(C=0.1, class_weight="balanced", random_state=0)
    )
    return pipeline, texts, found, [clip.actor for clip in training]


NEW = ("leave the sea", "", "all is gone", "stop")


def test_multinomial_logits_are_scikit_learn_s_probabilities_over_held_out_scores() -> None:
    training = clips()
    branch = solved(training, calibration="multinomial")
    pipeline, texts, found, actors = machine(branch, training)
    regression = LogisticRegression(max_iter=1000).fit(
        held_out_scores(pipeline, texts, found, actors, 3, 4), found
    )
    expected = regression.predict_log_proba(pipeline.fit(texts, found).decision_function(list(NEW)))
    found_here = log_softmax(logits(branch, *NEW)["emotion"].numpy(), axis=1)
    np.testing.assert_allclose(found_here, expected, atol=1e-5)


def test_a_temperature_scales_scikit_learn_s_scores() -> None:
    training = clips()
    branch = solved(training)
    pipeline, texts, found, _ = machine(branch, training)
    scores = pipeline.fit(texts, found).decision_function(list(NEW))
    made = logits(branch, *NEW)["emotion"].numpy()
    scale = made[0, 0] / scores[0, 0]
    assert scale > 0
    np.testing.assert_allclose(made, scale * scores, rtol=1e-5, atol=1e-6)


def test_it_learns_what_the_words_tell_and_every_task_has_its_logits() -> None:
    made = logits(solved(clips()), "leave me", "the sea", "lost and gone")
    assert made["emotion"].argmax(dim=1).tolist() == [0, 1, 2]
    assert made["sex"].shape == (3, 2)


@pytest.mark.parametrize("calibration", ["temperature", "multinomial"])
def test_a_class_that_no_training_clip_has_is_improbable_but_finite(calibration: str) -> None:
    made = logits(solved(clips(sad="calm"), calibration=calibration), "leave me", "the sea", "")["emotion"]
    assert made.isfinite().all()
    assert (made[:, 2] < made[:, :2].amax(dim=1) - 9.9).all()
    assert made[:2].argmax(dim=1).tolist() == [0, 1]


def test_a_task_with_one_class_or_none_is_no_obstacle() -> None:
    one = [Clip(c.id, c.actor, None, {**c.labels, "sex": "male"}, c.text) for c in clips()]
    assert logits(solved(one), "leave me")["sex"].argmax().item() == 1
    none = [Clip(c.id, c.actor, None, {"emotion": c.labels["emotion"]}, c.text) for c in clips()]
    assert logits(solved(none), "leave me")["sex"].softmax(1).tolist() == [[0.5, 0.5]]


def test_unlabelled_clips_teach_words_but_no_class() -> None:
    training = [*clips(), Clip("x", "0", None, {}, "leave leave leave the sea"), Clip("y", "1", None, {}, "")]
    assert logits(solved(training), "leave me", "the sea")["emotion"].argmax(dim=1).tolist() == [0, 1]


def test_training_texts_without_a_frequent_term_are_refused() -> None:
    with pytest.raises(EmorecError, match="terms in at least 99 training transcripts"):
        solved(clips(), min_count=99)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"word_ngrams": 0}, "word_ngrams of at least 1; found 0"),
        ({"char_ngrams": 1}, "char_ngrams of at least 2; found 1"),
        ({"min_count": 0}, "min_count of at least 1"),
        ({"folds": 1}, "folds of at least 2"),
        ({"c": 0.0}, "c above 0"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(EmorecError, match=complaint):
        TfidfSvc(TASKS, **arguments)
