"""Tests of the suite: figures of one or of many sets of predictions at once, held to thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from lightning_emorec.commands.stress.suite.conditions import CLEAN, SuiteCondition
from lightning_emorec.evaluation.formats import count
from lightning_emorec.metrics import Array, Integers, recalls_of, scores_of

Codes = NDArray[np.integer[Any]]
"""Class indices of any width: many random answers are held in 16 bits."""

Answers = Mapping[str, Codes]
"""Condition -> (draws, clips) predicted classes: one draw of a model, many of the random reference."""

LEAST_OF_A_CLASS = 8
"""Clips of a class that a speaker needs for the tests of class shares."""


@dataclass(frozen=True)
class Judged:
    """The clips of the suite.

    Attributes:
        labels: (clips,) right class.
        classes: Names of the classes.
        actors: Actor of each clip.
        groups: Name of a grouping, such as `sex` -> group of each clip, or None.
    """

    labels: Integers
    classes: list[str]
    actors: list[str]
    groups: dict[str, list[str | None]] = field(default_factory=dict)

    @property
    def size(self) -> str:
        """As in `240 clips of 4 actors`."""
        return self.sized(np.ones(len(self.labels), dtype=bool))

    def sized(self, rows: Array | Integers) -> str:
        """The size of some clips, (clips,) bool."""
        actors = {actor for actor, kept in zip(self.actors, rows, strict=True) if kept}
        return f"{count(int(rows.sum()), 'clip')} of {count(len(actors), 'actor')}"

    def confusions(self, answers: Codes, rows: Array | Integers | None = None) -> Integers:
        """(draws, classes, classes) counts of (draws, clips) answers, of all clips or of some, (clips,) bool."""
        labels = self.labels if rows is None else self.labels[rows]
        answers = answers if rows is None else answers[:, rows]
        size = len(self.classes)
        cells = np.arange(len(answers))[:, None] * size**2 + labels * size + answers
        return np.bincount(cells.ravel(), minlength=len(answers) * size**2).reshape(-1, size, size)


@dataclass(frozen=True)
class Check:
    """One test.

    Attributes:
        group: Group of tests.
        name: What is measured.
        figure: From answers to (draws,); NaN fails.
        bound: `at least`, or `within`: the absolute value is at most the threshold.
        threshold: Of the figure.
        on: What it is measured on.
        conditions: The conditions that the figure reads.
        published: Threshold of ser-tests, where the one used is simulated.
    """

    group: str
    name: str
    figure: Callable[[Answers], Array]
    bound: Literal["at least", "within"]
    threshold: float
    on: str
    conditions: tuple[str, ...] = (CLEAN,)
    published: float | None = None

    def passed(self, figures: Array) -> Array | Integers:
        """(draws,) bool; a figure on the threshold passes."""
        found = figures if self.bound == "at least" else -np.abs(figures)
        limit = self.threshold if self.bound == "at least" else -self.threshold
        return np.greater_equal(found, limit - 1e-9)


def correctness(judged: Judged) -> Iterator[Check]:
    """Precision and recall of each class that has clips, UAP and UAR: each at least .5."""

    def scored(of: Callable[[Integers], Array], answers: Answers) -> Array:
        return of(judged.confusions(answers[CLEAN]))

    def one(of: Callable[[Integers], Array], index: int, counts: Integers) -> Array:
        return of(counts)[:, index]

    for index in present(judged):
        name, on = judged.classes[index], judged.sized(judged.labels == index)
        for title, of in (("precision", precisions_of), ("recall", recalls_of)):
            figure = partial(scored, partial(one, of, index))
            where = judged.size if title == "precision" else on
            yield Check("correctness", f"{title} of {name}", figure, "at least", 0.5, where)
    kept = present(judged)
    for title, mean in (("UAP", partial(_mean_precision, kept)), ("UAR", uar_of)):
        yield Check("correctness", title, partial(scored, mean), "at least", 0.5, judged.size)


def proportions(judged: Judged) -> Iterator[Check]:
    """Counts of the classes, their shares by speaker, and the ranking of speakers by these shares."""
    right = judged.confusions(judged.labels[None])[0].sum(axis=1)

    def relative(index: int, answers: Answers) -> Array:
        counts = (answers[CLEAN] == index).sum(axis=1)
        return np.asarray(counts / right[index] - 1, dtype=np.float64)

    for index in present(judged):
        name = f"relative difference of the count of {judged.classes[index]}"
        yield Check("class proportions", name, partial(relative, index), "within", 0.15, judged.size)
    for index in present(judged):
        speakers = _speakers(judged, index)
        if len(speakers) < 2:
            continue
        on = f"{len(speakers)} speakers with at least {LEAST_OF_A_CLASS} clips of the class"
        of, name = partial(_share_error, judged, index, speakers), judged.classes[index]
        yield Check("speaker average", f"error of the share of {name} by speaker", of, "within", 0.1, on)
        ranked = partial(_ranking, judged, index, speakers)
        if np.ptp(_shares(judged.labels[None], index, speakers)) > 0:
            yield Check("speaker ranking", f"speakers by share of {name}", ranked, "at least", 0.7, on)


def robustness(judged: Judged, conditions: Sequence[SuiteCondition]) -> Iterator[Check]:
    """The share of unchanged predictions, and the change of UAR, of each condition that has such a threshold."""

    def same(one: str, other: str, answers: Answers) -> Array:
        found: Array = (answers[one] == answers[other]).mean(axis=1)
        return found

    def change(one: str, other: str, answers: Answers) -> Array:
        now, before = (uar_of(judged.confusions(answers[name])) for name in (one, other))
        return np.subtract(now, before)

    for of in conditions:
        pair = (of.name, of.against)
        on = f"{judged.size}{f', {of.made}' if of.made else ''}"
        on += "" if of.against == CLEAN else f", against {of.against}"
        if of.uar is not None:
            name = f"{of.title}: change of UAR"
            yield Check(of.group, name, partial(change, *pair), "at least", of.uar, on, pair)
        if of.unchanged is not None:
            name = f"{of.title}: unchanged"
            yield Check(of.group, name, partial(same, *pair), "at least", of.unchanged, on, pair)


def present(judged: Judged) -> list[int]:
    """The classes that have clips."""
    return [int(index) for index in np.unique(judged.labels)]


def uar_of(counts: Integers) -> Array:
    """(draws,) UAR of (draws, classes, classes) counts."""
    return scores_of(counts)["uar"]


def precisions_of(counts: Integers) -> Array:
    """(draws, classes) precision, NaN for a class that is never predicted."""
    return recalls_of(np.swapaxes(counts, -1, -2))


def _mean_precision(kept: list[int], counts: Integers) -> Array:
    """(draws,) mean precision of some classes; one that is never predicted has none, and counts as 0."""
    found: Array = np.nan_to_num(precisions_of(counts)[:, kept]).mean(axis=1)
    return found


def _speakers(judged: Judged, index: int) -> list[Integers]:
    """Rows of each speaker who has enough clips of a class."""
    actors = np.array(judged.actors)
    rows = [np.flatnonzero(actors == name) for name in dict.fromkeys(judged.actors)]
    return [own for own in rows if (judged.labels[own] == index).sum() >= LEAST_OF_A_CLASS]


def _shares(answers: Codes, index: int, speakers: list[Integers]) -> Array:
    """(draws, speakers) share of a class among the answers for each speaker's clips."""
    return np.stack([(answers[:, own] == index).mean(axis=1) for own in speakers], axis=1)


def _share_error(judged: Judged, index: int, speakers: list[Integers], answers: Answers) -> Array:
    right = _shares(judged.labels[None], index, speakers)
    found: Array = np.abs(_shares(answers[CLEAN], index, speakers) - right).mean(axis=1)
    return found


def _ranking(judged: Judged, index: int, speakers: list[Integers], answers: Answers) -> Array:
    """(draws,) Spearman's correlation over speakers; NaN where all have the same share."""
    right = rankdata(_shares(judged.labels[None], index, speakers), axis=1)
    given = rankdata(_shares(answers[CLEAN], index, speakers), axis=1)
    right, given = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (right, given))
    scale = np.sqrt((right**2).sum(axis=1) * (given**2).sum(axis=1))
    found = np.full(len(given), np.nan)
    np.divide((right * given).sum(axis=1), scale, out=found, where=scale > 0)
    return found
