from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from lightning_emorec.branches.calibrated import calibrate, decision_scores, held_out_scores, temper
from lightning_emorec.errors import EmorecError

DRAW = np.random.default_rng(0)
LABELS = np.tile(np.arange(3), 20)
VALUES = DRAW.normal(size=(60, 4)) + 1.5 * np.eye(3, 4)[LABELS]
ACTORS = [str(clip // 10) for clip in range(60)]


def svc() -> LinearSVC:
    return LinearSVC(C=0.1, random_state=0)


def test_scores_have_a_column_for_every_class_and_0_for_one_never_seen() -> None:
    fitted = svc().fit(VALUES, np.array([0, 2, 3])[LABELS])
    scores = decision_scores(fitted, VALUES, classes=5)
    assert scores.shape == (60, 5)
    assert not scores[:, [1, 4]].any()
    np.testing.assert_array_equal(scores[:, [0, 2, 3]], fitted.decision_function(VALUES))


def test_scores_of_two_classes_are_each_other_s_opposite() -> None:
    fitted = svc().fit(VALUES, (LABELS == 1).astype(int))
    scores = decision_scores(fitted, VALUES, classes=2)
    np.testing.assert_array_equal(scores[:, 1], fitted.decision_function(VALUES))
    np.testing.assert_array_equal(scores[:, 0], -scores[:, 1])


def test_a_clip_is_scored_by_a_classifier_that_never_heard_its_actor() -> None:
    scores = held_out_scores(svc(), VALUES, LABELS, ACTORS, classes=3, folds=6)
    others = np.array(ACTORS) != "2"
    by_hand = svc().fit(VALUES[others], LABELS[others]).decision_function(VALUES[~others])
    np.testing.assert_allclose(scores[~others], by_hand)


def test_a_pipeline_learns_its_scaler_without_the_held_out_clips() -> None:
    wild = VALUES.copy()
    wild[20:30] *= 1e6  # one actor: a scaler that saw it would flatten all others
    scores = held_out_scores(make_pipeline(StandardScaler(), svc()), wild, LABELS, ACTORS, 3, folds=6)
    others = np.array(ACTORS) != "2"
    scaler = StandardScaler().fit(wild[others])
    by_hand = svc().fit(scaler.transform(wild[others]), LABELS[others])
    np.testing.assert_allclose(
        scores[~others], by_hand.decision_function(scaler.transform(wild[~others])), rtol=1e-6
    )


def test_texts_are_scored_too() -> None:
    words = np.array(["calm sea", "angry wind", "happy sun"], dtype=object)
    scores = held_out_scores(make_pipeline(TfidfVectorizer(), svc()), words[LABELS], LABELS, ACTORS, 3)
    assert (scores.argmax(axis=1) == LABELS).all()


def test_more_folds_than_actors_are_as_many_as_actors() -> None:
    many = held_out_scores(svc(), VALUES, LABELS, ACTORS, 3, folds=60)
    np.testing.assert_array_equal(many, held_out_scores(svc(), VALUES, LABELS, ACTORS, 3, folds=6))


def test_one_actor_is_refused() -> None:
    with pytest.raises(EmorecError, match=r"at least two training actors.*found anna"):
        held_out_scores(svc(), VALUES, LABELS, ["anna"] * 60, 3)


def test_clips_whose_other_actors_show_one_class_score_0() -> None:
    actors = ["anna"] * 30 + ["ben"] * 30
    labels = np.array([0] * 30 + [1] * 15 + [0] * 15)
    scores = held_out_scores(svc(), VALUES, labels, actors, 2)
    assert not scores[30:].any()
    assert scores[:30].any()


@pytest.mark.parametrize("classes", [2, 3])
def test_calibrated_logits_are_those_of_logistic_regression(classes: int) -> None:
    labels = LABELS % classes
    scores = VALUES[:, :classes]
    weight, bias = calibrate(scores, labels, c=0.5)
    reference = LogisticRegression(C=0.5, max_iter=1000).fit(scores, labels)
    np.testing.assert_allclose(
        log_softmax(scores @ weight.T + bias, axis=1), reference.predict_log_proba(scores), atol=1e-6
    )


def test_calibration_tempers_scores_that_are_too_sure() -> None:
    labels = np.tile([0, 1], 50)
    heard_right = np.where(np.arange(100) % 10 < 8, 1, -1)  # 8 of 10 clips
    score = 100.0 * np.where(labels == 1, 1, -1) * heard_right
    weight, bias = calibrate(np.stack([-score, score], axis=1), labels, c=1e6)
    logits = np.stack([-score, score], axis=1) @ weight.T + bias
    np.testing.assert_allclose(np.exp(log_softmax(logits, axis=1)).max(axis=1), 0.8, atol=1e-3)


def test_a_class_that_no_clip_has_is_improbable_but_finite() -> None:
    weight, bias = calibrate(VALUES, np.array([0, 1, 3])[LABELS])
    logits = VALUES @ weight.T + bias
    assert np.isfinite(logits).all()
    assert (logits[:, 2] < logits[:, [0, 1, 3]].min(axis=1)).all()


def test_one_class_alone_gives_the_shares() -> None:
    weight, bias = calibrate(np.zeros((8, 2)), np.ones(8, dtype=np.int64))
    assert not weight.any()
    np.testing.assert_allclose(np.exp(bias), [0.1, 0.9])


def test_a_temperature_is_where_the_likelihood_of_the_truth_is_greatest() -> None:
    scores = VALUES[:, :3]
    weight, bias = temper(scores, LABELS)
    assert not bias.any()
    np.testing.assert_array_equal(weight, weight[0, 0] * np.eye(3))

    def nll(scale: float) -> float:
        return float(-log_softmax(scale * scores, axis=1)[np.arange(60), LABELS].mean())

    assert nll(weight[0, 0]) < min(nll(weight[0, 0] / 1.2), nll(weight[0, 0] * 1.2))


def test_scores_that_are_never_wrong_get_a_finite_temperature() -> None:
    weight, _ = temper(0.1 * np.eye(3)[LABELS], LABELS)
    # Each truth has probability 1 - 2/3 of the doubt, 1/62: log-odds of (1 - 2/186) to 1/186, over a gap of 0.1.
    assert weight[0, 0] == pytest.approx(np.log(184) / 0.1, rel=1e-2)


def test_scores_are_lowest_for_a_class_without_clips_even_where_all_are_negative() -> None:
    present = np.array([0, 2])[LABELS % 2]
    weight, bias = temper(np.stack([VALUES[:, 0], 0 * VALUES[:, 0], -VALUES[:, 0]], axis=1) - 9.0, present)
    logits = (np.stack([VALUES[:, 0], 0 * VALUES[:, 0], -VALUES[:, 0]], axis=1) - 9.0) @ weight.T + bias
    assert (logits[:, 1] <= logits[:, [0, 2]].max(axis=1) - 10).all()
