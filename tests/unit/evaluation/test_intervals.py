from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import balanced_accuracy_score, f1_score

from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.intervals import (
    Bootstrap,
    Estimate,
    Interval,
    actor_scores,
    measure,
    measure_groups,
)
from lightning_emorec.evaluation.predictions import Predictions
from tests.unit.evaluation.made_up import predicting, predictions, random_predictions, shuffled


def interval_of(model: Predictions, score: str, bootstrap: Bootstrap | None = None) -> Interval:
    interval = measure(model, bootstrap or Bootstrap()).scores[score].interval
    assert interval is not None
    return interval


# measure


def test_the_values_are_the_scores_without_resampling() -> None:
    model = random_predictions(1)
    found = measure(model)
    assert (found.clips, found.actors, found.note) == (60, 6, "")
    assert found.scores["accuracy"].value == pytest.approx((model.labels == model.predicted).mean())
    assert found.scores["uar"].value == pytest.approx(balanced_accuracy_score(model.labels, model.predicted))


def test_two_actors_have_three_possible_accuracies() -> None:
    # One actor all right, one all wrong, drawn twice: 0 and 1 in a quarter of the resamples each, else 1/2.
    model = predictions(("a", [0, 1], [0, 1]), ("b", [0, 1], [1, 0]))
    assert interval_of(model, "accuracy") == Interval(0.0, 1.0)
    assert interval_of(model, "accuracy", Bootstrap(level=0.4)) == Interval(0.5, 0.5)


def test_clips_of_an_actor_stay_together() -> None:
    # Resampling 200 clips would give 0.43..0.57.
    model = predictions(("a", [0] * 100, [0] * 100), ("b", [0] * 100, [1] * 100))
    assert interval_of(model, "accuracy") == Interval(0.0, 1.0)


def test_intervals_agree_with_scipy() -> None:
    drawn = np.random.default_rng(5)
    right = [int(drawn.integers(20, 60)) for _ in range(24)]
    actors = [(str(row), [0] * 60, [0] * hits + [1] * (60 - hits)) for row, hits in enumerate(right)]
    found = interval_of(predictions(*actors), "accuracy", Bootstrap(resamples=20_000))
    shares = np.array(right) / 60
    theirs = scipy.stats.bootstrap(
        (shares,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(1)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.004)


def test_a_resample_is_scored_as_its_clips_would_be() -> None:
    # With one resample, both ends of the interval are that resample's score. Class 3 is in actor 2 only.
    model = predictions(
        ("0", [0, 1, 2, 2], [0, 2, 2, 1]), ("1", [0, 0, 1], [1, 0, 1]), ("2", [3, 0, 1], [3, 3, 0]), classes=4
    )
    for seed in range(8):
        bootstrap = Bootstrap(resamples=1, seed=seed)
        (draw,) = bootstrap.draws(3)
        rows = [row for row, actor in enumerate(model.actors) for _ in range(int(draw[int(actor)]))]
        truth, said = model.labels[rows], model.predicted[rows]
        present = [label for label in range(4) if label in truth]
        uar = float(np.mean([(said[truth == label] == label).mean() for label in present]))
        macro, weighted = (
            f1_score(truth, said, average=how, zero_division=0) for how in ("macro", "weighted")
        )
        assert interval_of(model, "uar", bootstrap).low == pytest.approx(uar)
        assert interval_of(model, "macro_f1", bootstrap).low == pytest.approx(macro)
        assert interval_of(model, "weighted_f1", bootstrap).low == pytest.approx(weighted)
        assert interval_of(model, "accuracy", bootstrap).high == pytest.approx((truth == said).mean())


def test_a_draw_has_as_many_actors_as_there_are() -> None:
    draws = Bootstrap(resamples=500).draws(7)
    assert draws.shape == (500, 7)
    assert set(draws.sum(axis=1)) == {7.0}
    assert draws.mean() == pytest.approx(1.0)


def test_a_higher_level_gives_a_wider_interval() -> None:
    model = random_predictions(1)
    narrow, wide = (interval_of(model, "uar", Bootstrap(level=level)) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_order_of_clips_does_not_matter() -> None:
    model = random_predictions(1)
    assert measure(shuffled(model)) == measure(model)


def test_a_seed_repeats_the_intervals_and_another_does_not() -> None:
    model = random_predictions(1)
    assert measure(model, Bootstrap(seed=1)) == measure(model, Bootstrap(seed=1))
    assert measure(model, Bootstrap(seed=1)) != measure(model, Bootstrap(seed=2))


def test_one_actor_has_scores_and_no_interval() -> None:
    found = measure(predictions(("a", [0, 1, 1], [0, 1, 0])))
    assert found.scores["accuracy"].value == pytest.approx(2 / 3)
    estimates = [*found.scores.values(), *found.recalls]
    assert [estimate.interval for estimate in estimates if estimate] == [None] * 6
    assert found.note == "no interval: all clips are of one actor"


def test_recalls_are_those_of_each_class() -> None:
    model = predictions(("a", [0, 0, 1], [0, 1, 1]), ("b", [0, 0, 1], [1, 1, 1]), classes=3)
    calm, angry, sad = measure(model).recalls
    assert calm == Estimate(0.25, Interval(0.0, 0.5))
    assert angry == Estimate(1.0, Interval(1.0, 1.0))
    assert sad is None


def test_a_class_of_one_actor_has_a_recall_without_interval() -> None:
    model = predictions(("a", [0, 1, 1], [0, 1, 0]), ("b", [0, 0], [0, 0]))
    assert measure(model).recalls[1] == Estimate(0.5, None)


def test_a_class_that_no_resample_drew_has_no_interval() -> None:
    model = predictions(*((name, [1], [1]) for name in "cdefgh"), ("a", [0], [0]), ("b", [0], [0]))
    undrawn = next(seed for seed in range(100) if not Bootstrap(resamples=1, seed=seed).draws(8)[0, :2].any())
    assert measure(model, Bootstrap(resamples=1, seed=undrawn)).recalls[0] == Estimate(1.0, None)


def test_a_single_class_is_scored() -> None:
    scores = measure(predictions(("a", [1, 1], [1, 1]), ("b", [1, 1], [1, 0]))).scores
    assert scores["uar"].value == scores["accuracy"].value == 0.75
    assert scores["uar"].interval == Interval(0.5, 1.0)


def test_two_thousand_resamples_of_24_actors_take_well_under_a_second() -> None:
    model = random_predictions(1, actors=24, clips=60, classes=8)
    before = time.process_time()
    measure(model)
    assert time.process_time() - before < 1


@pytest.mark.parametrize("level", [0.0, 1.0, 95, math.nan])
def test_a_level_outside_0_and_1_is_refused(level: float) -> None:
    with pytest.raises(EmorecError, match="a level between 0 and 1"):
        Bootstrap(level=level)


def test_no_resamples_are_refused() -> None:
    with pytest.raises(EmorecError, match="at least one resample; found 0"):
        Bootstrap(resamples=0)


def test_models_over_the_same_actors_meet_the_same_draws() -> None:
    # A model that is wrong where another is right: the ends of its interval mirror the other's.
    model = random_predictions(1, classes=2)
    mirrored = predicting(model, (1 - model.predicted).tolist())
    first, second = interval_of(model, "accuracy"), interval_of(mirrored, "accuracy")
    assert (second.low, second.high) == pytest.approx((1 - first.high, 1 - first.low))
    renamed = replace(model, clip_ids=[f"other-{row}" for row in range(60)])
    assert interval_of(renamed, "accuracy") == first


# measure_groups, actor_scores


def test_each_group_is_measured_on_its_own_clips() -> None:
    model = predictions(("a", [0, 1, 1], [0, 1, 0]), ("b", [0, 1], [0, 1]))
    found = measure_groups(model, ["strong", "normal", None, "strong", "normal"])
    assert list(found) == ["strong", "normal"]
    assert (found["strong"].clips, found["strong"].actors) == (2, 2)
    assert found["normal"] == measure(model.rows(np.array([1, 4])))


def test_groups_that_do_not_fit_the_clips_are_refused() -> None:
    with pytest.raises(ValueError, match="1 groups for 2 clips"):
        measure_groups(predictions(("a", [0, 1], [0, 1])), ["strong"])


def test_each_actor_is_scored() -> None:
    found = actor_scores(predictions(("b", [0, 0, 1], [0, 1, 1]), ("a", [0, 1], [0, 1])))
    assert list(found) == ["b", "a"]
    assert found["b"] == pytest.approx(
        {"accuracy": 2 / 3, "uar": 3 / 4, "macro_f1": 2 / 3, "weighted_f1": 2 / 3}
    )
    assert set(found["a"].values()) == {1.0}
