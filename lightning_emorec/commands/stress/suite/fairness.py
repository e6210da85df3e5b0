"""Fairness: differences between groups of speakers, held to what a random model shows in groups of the same sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from lightning_emorec.commands.stress.suite.checks import (
    Answers,
    Check,
    Judged,
    precisions_of,
    present,
    uar_of,
)
from lightning_emorec.commands.stress.suite.conditions import CLEAN
from lightning_emorec.metrics import Array, Integers, recalls_of

DRAWS = 1000
"""Random models that thresholds and the reference are taken from."""

THRESHOLD_SEED, REFERENCE_SEED = 1, 2

PUBLISHED = {
    "UAR": {"sex": 0.075, "pitch": 0.075},
    "precision": {"sex": 0.075, "pitch": 0.1},
    "recall": {"sex": 0.175, "pitch": 0.225},
}
"""Thresholds that ser-tests' own simulations gave on its own groups."""


def random_answers(judged: Judged, conditions: Sequence[str], seed: int, draws: int = DRAWS) -> Answers:
    """Answers of a model that draws each class with the same probability, anew for each clip and condition."""
    draw = np.random.default_rng(seed)
    shape = (draws, len(judged.labels))
    return {
        name: draw.integers(len(judged.classes), size=shape, dtype=np.int16)
        for name in dict.fromkeys([CLEAN, *conditions])
    }


def fairness(judged: Judged) -> Iterator[Check]:
    """Tests of every grouping that has at least two groups; see `_differences`.

    A threshold is the largest absolute difference that 1,000 random models show: a random model treats no group
    differently, so that up to there a difference may be chance.
    """
    answers = random_answers(judged, [], THRESHOLD_SEED)
    for grouping, of_clips in judged.groups.items():
        groups = {name: np.array([of == name for of in of_clips]) for name in dict.fromkeys(of_clips) if name}
        if len(groups) < 2:
            continue
        for check in _differences(judged, grouping, groups):
            largest = float(np.nanmax(np.abs(check.figure(answers))))
            yield replace(check, threshold=largest)


def _differences(judged: Judged, grouping: str, groups: dict[str, Integers]) -> Iterator[Check]:
    """UAR of each group, and precision and recall of each class, less those of the clips of all groups.

    Of two groups, the first less the second. A class needs clips in each of them.
    """
    two = len(groups) == 2
    everyone = np.logical_or.reduce(list(groups.values()))
    pairs = [tuple(groups)] if two else [(name, "") for name in groups]
    for name, other in pairs:
        rest = groups[other] if two else everyone
        title = f"{name} less {other or 'all'}"
        on = f"{judged.sized(groups[name])} against {judged.sized(rest)}"
        both = {*judged.labels[groups[name]].tolist()} & {*judged.labels[rest].tolist()}

        def check(
            metric: str, of: str, figure: Callable[[Answers], Array], title: str = title, on: str = on
        ) -> Check:
            published = PUBLISHED[metric].get(grouping)
            what = f"{metric}{of}: {title}"
            return Check(f"fairness by {grouping}", what, figure, "within", 0.0, on, published=published)

        yield check("UAR", "", partial(_difference, judged, groups[name], rest, uar_of))
        for index in [index for index in present(judged) if index in both]:
            for metric, scored in (("precision", precisions_of), ("recall", recalls_of)):
                of = partial(_column, scored, index)
                figure = partial(_difference, judged, groups[name], rest, of)
                yield check(metric, f" of {judged.classes[index]}", figure)


def _column(scored: Callable[[Integers], Array], index: int, counts: Integers) -> Array:
    return np.nan_to_num(scored(counts)[:, index])  # the precision of a class that is never predicted


def _difference(
    judged: Judged,
    rows: Integers,
    other: Integers,
    scored: Callable[[Integers], Array],
    answers: Answers,
) -> Array:
    one, two = (scored(judged.confusions(answers[CLEAN], of)) for of in (rows, other))
    return one - two
