from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray

from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.intervals import Bootstrap, Interval
from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.evaluation.significance import Comparison, holm, paired_tests, sign_flip_p
from lightning_emorec.metrics import scores_of
from tests.unit.evaluation.made_up import predicting, predictions, random_predictions, shuffled


def pair(first: Predictions, second: Predictions) -> Comparison:
    (row,) = paired_tests({"first": first, "second": second})
    return row


def exact_permutation(first: Predictions, second: Predictions, score: str) -> float:
    """Swap whole actors by scipy, and score the clips again each time; accuracy as the mean over actors."""
    confusions = np.concatenate([first.confusions(), second.confusions()])
    actors = len(confusions) // 2

    def value(index: NDArray[np.int64]) -> float:
        chosen = confusions[index]
        if score == "accuracy":
            return float(scores_of(chosen)["accuracy"].mean())
        return float(scores_of(chosen.sum(axis=0))[score])

    found = scipy.stats.permutation_test(
        (np.arange(actors), np.arange(actors) + actors),
        lambda one, two: value(one) - value(two),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=False,
    )
    return float(found.pvalue)


# paired_tests


def test_a_comparison_can_be_turned() -> None:
    first, second = random_predictions(1), random_predictions(2)
    assert pair(first, second).turned() == replace(pair(second, first), first="second", second="first")
    alone = predictions(("a", [0, 1], [0, 0]))
    assert pair(alone, predicting(alone, [0, 1])).turned().accuracy_difference.interval is None


def test_mcnemar_weighs_the_clips_that_one_model_alone_has_right() -> None:
    # 8 clips for the first, 2 for the second: 2 (1 + 10 + 45) / 2^10, as statsmodels' mcnemar(exact=True).
    first = predictions(("a", [0] * 12, [0] * 8 + [1] * 2 + [0, 1]))
    row = pair(first, predicting(first, [1] * 8 + [0] * 2 + [0, 1]))
    assert (row.only_first_right, row.only_second_right) == (8, 2)
    assert row.mcnemar.raw == pytest.approx(112 / 1024)


def test_mcnemar_is_the_binomial_test() -> None:
    first, second = random_predictions(1), random_predictions(2)
    row = pair(first, second)
    apart = row.only_first_right + row.only_second_right
    assert row.mcnemar.raw == pytest.approx(scipy.stats.binomtest(row.only_second_right, apart, 0.5).pvalue)


@pytest.mark.parametrize("seed", range(2, 8))
def test_permutations_of_actors_agree_with_scipy(seed: int) -> None:
    first, second = random_predictions(1), random_predictions(seed)
    row = pair(first, second)
    assert row.actor_accuracy.raw == pytest.approx(exact_permutation(first, second, "accuracy"))
    assert row.actor_uar.raw == pytest.approx(exact_permutation(first, second, "uar"))


def test_differences_are_those_of_the_scores() -> None:
    first, second = random_predictions(1), random_predictions(2)
    row = pair(first, second)
    one, two = (scores_of(model.confusions().sum(axis=0)) for model in (first, second))
    assert row.accuracy_difference.value == pytest.approx(one["accuracy"] - two["accuracy"])
    assert row.uar_difference == pytest.approx(one["uar"] - two["uar"])
    assert (row.first, row.second, row.clips, row.actors) == ("first", "second", 60, 6)


def test_the_interval_of_a_difference_draws_the_same_actors_for_both() -> None:
    # Actors differ by 0.8 in accuracy, the models by 0.1 for each: alone each spans 0.8, their difference nothing.
    def model(weak: int, strong: int) -> Predictions:
        return predictions(
            *((name, [0] * 10, [0] * hits + [1] * (10 - hits)) for name, hits in (("a", weak), ("b", strong)))
        )

    interval = pair(model(2, 10), model(1, 9)).accuracy_difference.interval
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.1, 0.1))


def test_the_interval_of_a_difference_spans_the_actors() -> None:
    first = predictions(("a", [0, 0], [0, 0]), ("b", [0, 0], [0, 1]))
    assert pair(first, predicting(first, [1, 1, 0, 1])).accuracy_difference.interval == Interval(0.0, 1.0)


def test_equal_models_do_not_differ() -> None:
    model = random_predictions(1)
    row = pair(model, shuffled(model))
    assert [test.raw for test in (row.mcnemar, row.actor_accuracy, row.actor_uar)] == [1.0, 1.0, 1.0]
    assert row.accuracy_difference.interval == Interval(0.0, 0.0)


def test_one_actor_cannot_show_a_difference_over_actors() -> None:
    first = predictions(("a", [0] * 10, [0] * 10))
    row = pair(first, predicting(first, [1] * 10))
    assert row.mcnemar.raw == pytest.approx(2 / 1024)
    assert (row.actor_accuracy.raw, row.actor_uar.raw, row.least_p) == (1.0, 1.0, 1.0)
    assert row.accuracy_difference.interval is None


def test_four_actors_cannot_go_below_an_eighth() -> None:
    first = predictions(*((name, [0, 1], [0, 1]) for name in "abcd"))
    row = pair(first, predicting(first, [1, 0] * 4))
    assert row.actor_accuracy.raw == row.actor_uar.raw == row.least_p == 0.125


def test_a_single_class_is_compared() -> None:
    first = predictions(("a", [1, 1], [1, 1]), ("b", [1, 1], [1, 1]), classes=3)
    row = pair(first, predicting(first, [0, 1, 2, 1]))
    assert row.uar_difference == row.accuracy_difference.value == 0.5
    assert row.actor_uar.raw == 0.5


def test_all_pairs_are_compared_and_corrected_for_their_number() -> None:
    models = {name: random_predictions(seed) for name, seed in (("sound", 1), ("words", 2), ("both", 3))}
    rows = paired_tests(models)
    assert [(row.first, row.second) for row in rows] == [
        ("sound", "words"),
        ("sound", "both"),
        ("words", "both"),
    ]
    for test in ("mcnemar", "actor_accuracy", "actor_uar"):
        p_values = [getattr(row, test) for row in rows]
        assert [p.holm for p in p_values] == pytest.approx(holm([p.raw for p in p_values]))
    alone = pair(models["words"], models["both"])
    assert (rows[2].mcnemar.raw, rows[2].actor_uar.raw) == (alone.mcnemar.raw, alone.actor_uar.raw)
    assert alone.mcnemar.holm == alone.mcnemar.raw


def test_the_order_of_clips_does_not_matter() -> None:
    first, second = random_predictions(1), random_predictions(2)
    assert pair(first, shuffled(second)) == pair(first, second)


def test_the_bootstrap_reaches_the_interval() -> None:
    models = {"first": random_predictions(1), "second": random_predictions(2)}
    (default,), (wide,), (narrow,) = (
        paired_tests(models, *how) for how in ((), (Bootstrap(0.99),), (Bootstrap(0.5),))
    )
    lows = [row.accuracy_difference.interval.low for row in (wide, default, narrow)]  # type: ignore[union-attr]
    assert lows == sorted(set(lows))


def test_models_of_other_clips_are_refused_by_name() -> None:
    first = predictions(("a", [0, 1], [0, 1]))
    models = {"sound": first, "words": replace(first, clip_ids=["clip-0", "clip-9"])}
    with pytest.raises(EmorecError, match="the same clips for words and sound"):
        paired_tests(models)


def test_one_model_alone_is_refused() -> None:
    with pytest.raises(EmorecError, match="at least two models; found sound"):
        paired_tests({"sound": random_predictions(1)})


# sign_flip_p


def test_signs_are_counted_by_hand() -> None:
    # Of the 8 sums ±6, ±4, ±2, 0, 0 four are as extreme as 3 + 2 - 1.
    assert sign_flip_p(np.array([3.0, 2.0, -1.0])) == 4 / 8


def test_sums_that_tie_but_for_rounding_are_as_extreme() -> None:
    # 10 of the 16 sums of 1, 2, 3, 4 are 4 or more; of tenths, only 8 would be in floating point.
    tenths = np.array([0.1, 0.2, -0.3, 0.4])
    assert sign_flip_p(tenths) == sign_flip_p((10 * tenths).round()) == 10 / 16


def test_many_actors_are_sampled_near_the_exact_value() -> None:
    # All 2^18 sums, without the function; 18 actors are too many to be enumerated.
    differences = np.random.default_rng(4).normal(0.3, 1.0, 18)
    signs = 1 - 2 * ((np.arange(2**18)[:, None] >> np.arange(18)) & 1)  # (patterns, 18)
    exact = (np.abs(signs @ differences) >= abs(differences.sum()) - 1e-9).mean()
    assert sign_flip_p(differences, permutations=40_000) == pytest.approx(exact, abs=0.01)


def test_a_sampled_p_is_never_zero_and_repeats_with_its_seed() -> None:
    assert sign_flip_p(np.ones(40), permutations=99) == 0.01
    differences = np.random.default_rng(4).normal(0.3, 1.0, 40)
    assert sign_flip_p(differences, seed=1) == sign_flip_p(differences, seed=1)
    assert sign_flip_p(differences, seed=1) != sign_flip_p(differences, seed=2)


def test_actors_without_a_difference_leave_the_test_exact() -> None:
    differences = np.concatenate([np.ones(5), np.zeros(40)])
    assert sign_flip_p(differences, permutations=1) == 2 / 2**5


def test_differences_that_are_not_a_number_are_refused() -> None:
    with pytest.raises(EmorecError, match="finite differences"):
        sign_flip_p(np.array([0.1, math.nan]))


def test_no_permutations_are_refused() -> None:
    with pytest.raises(EmorecError, match="at least one permutation; found 0"):
        sign_flip_p(np.ones(3), permutations=0)


# holm


def test_holm_multiplies_by_the_tests_that_are_left() -> None:
    # Sorted 0.005 0.01 0.03 0.04, times 4 3 2 1: 0.02 0.03 0.06 0.04, and none below the one before. R's p.adjust
    # and statsmodels' multipletests(method="holm") give the same.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_a_corrected_p_is_at_most_1() -> None:
    assert holm([0.6, 0.9]) == [1.0, 1.0]


def test_one_test_needs_no_correction() -> None:
    assert holm([0.3]) == [0.3]
    assert holm([]) == []


@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.1])
def test_what_is_no_p_value_is_refused(bad: float) -> None:
    with pytest.raises(EmorecError, match="p-values between 0 and 1"):
        holm([0.1, bad])
