"""Scores with bootstrap intervals over actors, because the clips of one actor are not independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.metrics import Array, recalls_of, scores_of

FEWEST_ACTORS = 4
"""Actors that a printed interval rests on: two or three of them, drawn anew, say next to nothing of others."""


@dataclass(frozen=True)
class Interval:
    """Ends of a confidence interval.

    Attributes:
        low: Lower end.
        high: Upper end.
        actors: Number of actors that it is based on; None if that is not known.
    """

    low: float
    high: float
    actors: int | None = field(default=None, compare=False)

    @property
    def too_few(self) -> bool:
        """Whether it is based on so few actors that it is not printed."""
        return self.actors is not None and self.actors < FEWEST_ACTORS


@dataclass(frozen=True)
class Estimate:
    """A value, and its interval if it is based on at least two actors."""

    value: float
    interval: Interval | None


@dataclass(frozen=True)
class Bootstrap:
    """Percentile bootstrap over actors, which are drawn with replacement, each with all clips.

    As all percentile intervals, it is too narrow for few actors: for n actors by about sqrt((n - 1) / n).

    Attributes:
        level: Nominal coverage.
        resamples: Number of resamples.
        seed: The same seed gives the same draws for every model over the same actors.
    """

    level: float = 0.95
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise EmorecError("a level between 0 and 1", str(self.level), "set level, such as 0.95")
        if self.resamples < 1:
            raise EmorecError("at least one resample", str(self.resamples), "set resamples, such as 2000")

    def draws(self, actors: int) -> Array:
        """Number of times that each resample draws each actor: (resamples, actors), whole numbers."""
        shares = np.full(actors, 1 / actors)
        drawn = np.random.default_rng(self.seed).multinomial(actors, shares, size=self.resamples)
        return drawn.astype(np.float64)

    def interval(self, values: Array, actors: int | None = None) -> Interval:
        """The central interval of a score's (resamples,) values, over a number of actors."""
        low, high = np.quantile(values, [(1 - self.level) / 2, (1 + self.level) / 2])
        return Interval(float(low), float(high), actors)


DEFAULT = Bootstrap()


@dataclass(frozen=True)
class Measurement:
    """Scores of one model with intervals.

    Attributes:
        clips: Number of clips.
        actors: Number of actors.
        scores: `accuracy`, `uar`, `macro_f1` and `weighted_f1`, as `metrics.score` defines them.
        recalls: Recall of each class; None for a class without clips.
    """

    clips: int
    actors: int
    scores: dict[str, Estimate]
    recalls: list[Estimate | None]

    @property
    def note(self) -> str:
        """The reason why no interval is printed; empty if there is one."""
        if self.actors >= FEWEST_ACTORS:
            return ""
        return f"no interval: all clips are of {'one actor' if self.actors == 1 else f'{self.actors} actors'}"


def measure(predictions: Predictions, bootstrap: Bootstrap = DEFAULT) -> Measurement:
    """Score a model, with intervals.

    A recall has an interval if at least two actors have clips of the class; resamples without any of them are left
    out.
    """
    confusions = predictions.confusions()  # (actors, classes, classes)
    actors, classes = confusions.shape[:2]
    counts = (bootstrap.draws(actors) @ confusions.reshape(actors, -1)).reshape(-1, classes, classes)
    found, resampled = scores_of(confusions.sum(axis=0)), scores_of(counts)
    recalls, resampled_recalls = recalls_of(confusions.sum(axis=0)), recalls_of(counts)
    speakers = (confusions.sum(axis=2) > 0).sum(axis=0)  # (classes,) actors with clips of the class

    def estimate(value: Any, values: Array, of: int) -> Estimate:
        return Estimate(float(value), bootstrap.interval(values, of) if of > 1 and len(values) else None)

    return Measurement(
        len(predictions.clip_ids),
        actors,
        {name: estimate(value, resampled[name], actors) for name, value in found.items()},
        [
            estimate(recall, values[~np.isnan(values)], of) if of else None
            for recall, values, of in zip(recalls, resampled_recalls.T, speakers, strict=True)
        ],
    )


def measure_groups(
    predictions: Predictions, groups: Sequence[str | None], bootstrap: Bootstrap = DEFAULT
) -> dict[str, Measurement]:
    """Score the clips of each group separately, such as each sex or intensity, in order of first appearance.

    `groups` has the group of each clip; None leaves the clip out.
    """
    return {name: measure(part, bootstrap) for name, part in _parts(predictions, groups).items()}


def actor_scores(predictions: Predictions) -> dict[str, dict[str, float]]:
    """Scores of each actor, without intervals, in order of first appearance."""
    return {
        actor: {name: float(value) for name, value in scores_of(part.confusions()[0]).items()}
        for actor, part in _parts(predictions, predictions.actors).items()
    }


def _parts(predictions: Predictions, groups: Sequence[str | None]) -> dict[str, Predictions]:
    if len(groups) != len(predictions.clip_ids):
        raise ValueError(f"{len(groups)} groups for {len(predictions.clip_ids)} clips")
    rows: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        if group is not None:
            rows.setdefault(group, []).append(row)
    return {group: predictions.rows(np.array(index)) for group, index in rows.items()}
