"""Rules without a solver: two means, and a choice."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from lightning_emorec.errors import EmorecError
from lightning_emorec.fusion.rule import FusionRule


class Average(FusionRule):
    """The mean of the branches' probabilities.

    Args:
        calibrate: Learn a temperature for each branch first.
    """

    def __init__(self, calibrate: bool = False) -> None:
        super().__init__(calibrate)

    def fuse(self, log_p: Tensor) -> Tensor:
        """Average in the log domain, so that no probability underflows."""
        return log_p.logsumexp(dim=0) - math.log(self.branches)

    @property
    def shares(self) -> list[float]:
        """The same for each branch."""
        self.require_fitted()
        return [1 / self.branches] * self.branches


class MaxConfidence(FusionRule):
    """For each clip, the probabilities of the branch whose highest one is the highest.

    It means something only where the branches are calibrated: an over-confident one always wins.

    Args:
        calibrate: Learn a temperature for each branch first.
    """

    def __init__(self, calibrate: bool = True) -> None:
        super().__init__(calibrate)

    def fuse(self, log_p: Tensor) -> Tensor:
        """Pick one branch a clip; the first of those that tie."""
        surest = log_p.amax(dim=-1).argmax(dim=0)  # (batch,)
        return log_p[surest, torch.arange(len(surest), device=log_p.device)]

    @property
    def shares(self) -> None:
        """None: the choice is each clip's own."""
        return None


class Weighted(FusionRule):
    """A weighted mean of the branches' probabilities.

    Args:
        weights: One a branch, in the order of the branches, in any scale. None weighs each branch by its
            validation accuracy above chance, where chance is what the most frequent class would score if it
            were always guessed; if no branch is above it, all weigh the same.
        calibrate: Learn a temperature for each branch first.
    """

    def __init__(self, weights: list[float] | None = None, calibrate: bool = False) -> None:
        super().__init__(calibrate)
        if weights is not None and not (all(0 <= weight < math.inf for weight in weights) and any(weights)):
            expected = "finite fusion weights >= 0, not all of them 0"
            raise EmorecError(expected, str(weights), "change weights of the rule Weighted")
        self.given = weights
        self.weights: list[float] = []

    def restricted(self, branches: list[int]) -> FusionRule:
        """Keep the weights given to these branches; equal ones, if they were all 0."""
        if self.given is None:
            return Weighted(calibrate=self.calibrate)
        given = [self.given[branch] for branch in branches]
        return Weighted(given if any(given) else [1.0] * len(given), self.calibrate)

    def learn(self, log_p: Tensor, labels: Tensor) -> None:
        """Normalise the weights given, or find them."""
        self._normalise(self.given or _accuracy_above_chance(log_p, labels), len(log_p))

    def keep_prior(self, branches: int, classes: int) -> None:
        """The weights given, or equal ones."""
        self._normalise(self.given or [1.0] * branches, branches)

    def _normalise(self, weights: list[float], branches: int) -> None:
        if len(weights) != branches:
            found = f"{len(weights)} weights for {branches} branches"
            raise EmorecError("one weight a branch", found, "change weights of the rule Weighted")
        self.weights = [weight / sum(weights) for weight in weights]

    def fuse(self, log_p: Tensor) -> Tensor:
        """Average in the log domain, so that no probability underflows."""
        log_weights = torch.tensor(
            self.weights, device=log_p.device
        ).log()  # (branches,), -inf for a weight of 0
        return (log_p + log_weights[:, None, None]).logsumexp(dim=0)

    @property
    def shares(self) -> list[float]:
        """The normalised weights."""
        self.require_fitted()
        return self.weights

    def get_extra_state(self) -> dict[str, Any]:
        """Return the normalised weights."""
        return super().get_extra_state() | {"weights": self.weights}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take back what `get_extra_state` returned."""
        super().set_extra_state(state)
        self.weights = state["weights"]


def _accuracy_above_chance(log_p: Tensor, labels: Tensor) -> list[float]:
    accuracies = (log_p.argmax(dim=-1) == labels).double().mean(dim=-1)  # (branches,)
    chance = float(labels.bincount().max()) / len(labels)
    margins = [max(accuracy - chance, 0.0) for accuracy in accuracies.tolist()]
    return margins if any(margins) else [1.0] * len(margins)
