"""Paired significance tests of two models on the same clips, over clips and over actors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.intervals import DEFAULT, Bootstrap, Estimate, Interval
from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.metrics import Array, Integers

MOST_PATTERNS = 2**16
"""Up to this number, all sign patterns are enumerated."""

ROUNDING = 1e-12
"""Relative tolerance for equal sums: 0.1 + 0.2 ties with 0.3."""


@dataclass(frozen=True)
class PValue:
    """Two-sided p-value of one test, uncorrected and corrected for the number of compared pairs."""

    raw: float
    holm: float


@dataclass(frozen=True)
class Comparison:
    """Two models on the same clips.

    Attributes:
        first: Name of one model.
        second: Name of the other.
        clips: Number of clips.
        actors: Number of actors.
        only_first_right: Number of clips that only the first predicts correctly.
        only_second_right: Number of clips that only the second predicts correctly.
        accuracy_difference: Accuracy of the first minus that of the second, and its interval over actors.
        uar_difference: UAR of the first minus that of the second.
        mcnemar: Exact McNemar test over clips. It assumes independent clips, which the clips of one actor are not,
            so that its p-values are too small.
        actor_accuracy: Permutation test over actors of the mean of their accuracies.
        actor_uar: Permutation test over actors of UAR.
    """

    first: str
    second: str
    clips: int
    actors: int
    only_first_right: int
    only_second_right: int
    accuracy_difference: Estimate
    uar_difference: float
    mcnemar: PValue
    actor_accuracy: PValue
    actor_uar: PValue

    @property
    def least_p(self) -> float:
        """The smallest possible raw p of a permutation test over these actors: 0.125 for four, 1 for one."""
        return float(2.0 ** (1 - self.actors))

    def turned(self) -> Comparison:
        """The comparison with first and second swapped."""
        difference, ends = self.accuracy_difference, self.accuracy_difference.interval
        return replace(
            self,
            first=self.second,
            second=self.first,
            only_first_right=self.only_second_right,
            only_second_right=self.only_first_right,
            accuracy_difference=Estimate(
                -difference.value, ends and Interval(-ends.high, -ends.low, ends.actors)
            ),
            uar_difference=-self.uar_difference,
        )


def paired_tests(
    models: Mapping[str, Predictions],
    bootstrap: Bootstrap = DEFAULT,
    permutations: int = 9_999,
    pairs: Sequence[tuple[str, str]] | None = None,
) -> list[Comparison]:
    """Test pairs of models, with Holm's correction of each test over the pairs.

    Args:
        models: Name of a branch, a rule or a run -> its predictions; the order of clips may differ.
        bootstrap: Level, resamples and seed; the seed is also used for the permutations.
        permutations: Number of random sign patterns if there are more than 2^16.
        pairs: Pairs to test, chosen independently of the results; by default every two models.

    Raises:
        EmorecError: Fewer than two models, or models that differ in clips, labels, actors or classes.
    """
    if len(models) < 2:
        raise EmorecError("at least two models", ", ".join(models) or "none", "name another one")
    leader, reference = next(iter(models.items()))
    aligned = {name: model.in_order_of(reference, (name, leader)) for name, model in models.items()}
    rows = [
        _pair(names, aligned[names[0]], aligned[names[1]], bootstrap, permutations)
        for names in (combinations(aligned, 2) if pairs is None else pairs)
    ]
    mcnemar = holm([row.mcnemar.raw for row in rows])
    accuracy = holm([row.actor_accuracy.raw for row in rows])
    uar = holm([row.actor_uar.raw for row in rows])
    return [
        replace(
            row,
            mcnemar=PValue(row.mcnemar.raw, mcnemar[index]),
            actor_accuracy=PValue(row.actor_accuracy.raw, accuracy[index]),
            actor_uar=PValue(row.actor_uar.raw, uar[index]),
        )
        for index, row in enumerate(rows)
    ]


def _pair(
    names: tuple[str, str], first: Predictions, second: Predictions, bootstrap: Bootstrap, permutations: int
) -> Comparison:
    """Compare two models on the same clips, without correction for other pairs."""
    from scipy.stats import binomtest  # takes a second, and only paired tests need it

    first_right, second_right = first.right, second.right
    apart = int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())
    mcnemar = float(binomtest(apart[0], sum(apart)).pvalue) if sum(apart) else 1.0
    confusions = [first.confusions(), second.confusions()]  # each (actors, classes, classes)
    gained = np.diagonal(
        confusions[0] - confusions[1], axis1=1, axis2=2
    )  # (actors, classes) more clips right
    clips = confusions[0].sum(axis=2)  # (actors, classes)
    accuracies = gained.sum(axis=1) / clips.sum(axis=1)  # (actors,)
    # Swapping the predictions of one actor does not change the labels, so the difference of UAR is a sum over actors
    # in which the swap flips one sign.
    present = clips.sum(axis=0) > 0  # (classes,)
    recalls = (gained[:, present] / clips[:, present].sum(axis=0)).mean(axis=1)  # (actors,)
    p_accuracy, p_uar = (sign_flip_p(of, permutations, bootstrap.seed) for of in (accuracies, recalls))
    return Comparison(
        *names,
        len(first.clip_ids),
        len(clips),
        *apart,
        _difference(gained.sum(axis=1), clips.sum(axis=1), bootstrap),
        float(recalls.sum()),
        PValue(mcnemar, mcnemar),
        PValue(p_accuracy, p_accuracy),
        PValue(p_uar, p_uar),
    )


def _difference(gained: Integers, clips: Integers, bootstrap: Bootstrap) -> Estimate:
    """Difference in accuracy, from (actors,) numbers of additional right clips and (actors,) numbers of clips."""
    value = float(gained.sum() / clips.sum())
    if len(clips) == 1:
        return Estimate(value, None)
    draws = bootstrap.draws(len(clips))  # (resamples, actors)
    return Estimate(value, bootstrap.interval((draws @ gained) / (draws @ clips), len(clips)))


def sign_flip_p(differences: Array, permutations: int = 9_999, seed: int = 0) -> float:
    """Two-sided sign-flip permutation test of the sum of (actors,) differences (Fisher 1935).

    Of more than 2^16 sign patterns, `permutations` are drawn at random; p is then (1 + number as extreme) /
    (1 + number drawn), never 0 (Phipson & Smyth 2010).
    """
    if not np.isfinite(differences).all():
        raise EmorecError("finite differences", str(differences), "leave out models that failed")
    if permutations < 1:
        raise EmorecError("at least one permutation", str(permutations), "set permutations, such as 9999")
    turned = differences[differences != 0]  # the sign of a zero is irrelevant
    threshold = abs(turned.sum()) - ROUNDING * np.abs(turned).sum()
    sums = np.zeros(1)
    if 2 ** len(turned) <= MOST_PATTERNS:
        for value in turned:
            sums = np.concatenate([sums + value, sums - value])
        return float((np.abs(sums) >= threshold).mean())
    generator, sums = np.random.default_rng(seed), np.zeros(permutations)
    for value in turned:
        sums += value * generator.choice([-1.0, 1.0], permutations)
    return float((1 + (np.abs(sums) >= threshold).sum()) / (1 + permutations))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number (Holm 1979), in their order."""
    values = np.array(p_values, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise EmorecError("p-values between 0 and 1", str(list(p_values)), "leave out tests that failed")
    order = np.argsort(values, kind="stable")
    corrected = np.empty_like(values)
    corrected[order] = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)).clip(max=1)
    return [float(p) for p in corrected]
