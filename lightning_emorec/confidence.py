"""Calibrated probabilities and prediction sets, founded on the clips of validation actors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Confidence:
    """How far a model's probabilities of one task go, on actors that it did not learn from.

    Split conformal prediction (Vovk et al. 2005; Sadinle et al. 2019) with the score 1 - p of the right class.
    Clips of one actor are not exchangeable with those of another, so with K validation actors the coverage for a
    new speaker is backed up to K / (K + 1) only.

    Attributes:
        temperature: Divides the logits before the softmax.
        scores: (clips,) 1 - p of the right class of each validation clip, ascending; empty where there were none.
        actors: Number of validation actors.
    """

    temperature: float
    scores: Floats
    actors: int

    def probabilities(self, logits: NDArray[np.floating[Any]]) -> Floats:
        """(clips, classes) calibrated probabilities of (clips, classes) logits."""
        scaled = np.asarray(logits, dtype=np.float64) / self.temperature
        raised = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
        found: Floats = raised / raised.sum(axis=-1, keepdims=True)
        return found

    def threshold(self, coverage: float) -> float:
        """The largest score of a class that belongs to a set; 1, which admits all, where clips are too few."""
        rank = math.ceil((len(self.scores) + 1) * coverage)
        return float(self.scores[rank - 1]) if 0 < rank <= len(self.scores) else 1.0

    def sets(self, probabilities: Floats, coverage: float) -> NDArray[np.bool_]:
        """Which classes are in the prediction set of each clip, (clips, classes); at least the most probable one."""
        inside = 1 - probabilities <= self.threshold(coverage)
        inside[np.arange(len(inside)), probabilities.argmax(axis=-1)] = True
        return np.asarray(inside)

    def is_nominal(self, coverage: float) -> bool:
        """Whether a coverage is more than the number of validation actors backs up."""
        return coverage > self.actors / (self.actors + 1)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and for a checkpoint."""
        return {"temperature": self.temperature, "scores": self.scores.tolist(), "actors": self.actors}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """What `to_dict` gave."""
        return cls(float(given["temperature"]), np.asarray(given["scores"], np.float64), int(given["actors"]))


def covered(sets: NDArray[np.bool_], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(clips,) whether the right class of each clip is in its set."""
    return np.asarray(sets[np.arange(len(labels)), labels])
