"""What every fusion rule does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import deepcopy
from inspect import signature
from typing import Any, Self

import torch
from torch import Tensor, nn

from lightning_emorec.errors import EmorecError
from lightning_emorec.fusion.temperature import fit_temperature

LOWEST_LOG_PROBABILITY = -100.0
"""Where log-probabilities are cut off: e^-100 is nothing, and a weight of 0 times it is still a number."""


class FusionRule(nn.Module, ABC):
    """Turns the logits of several branches, for one task, into one set of log-probabilities.

    A rule's constructor takes plain options only; what it learns it keeps in its extra state as plain
    numbers, so that a checkpoint loads with `weights_only=True`. A rule implements `fuse` and `shares`, and
    `learn` if it learns: both are given finite float32 log-probabilities, (branches, clips, classes).

    Args:
        calibrate: Divide each branch's logits by a temperature first, found on the same validation clips, so that
            an over-confident branch does not outvote the others.
    """

    def __init__(self, calibrate: bool = False) -> None:
        super().__init__()
        self._given: dict[str, Any]
        self.calibrate = calibrate
        self.temperatures: list[float] = []  # one a branch; none where they are not asked for
        self.branches = 0  # how many it was fitted to; 0 before that

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Note what the constructor is given."""
        made = super().__new__(cls)
        given = signature(cls.__init__).bind_partial(made, *args, **kwargs).arguments
        vars(made)["_given"] = dict([*given.items()][1:])
        return made

    @property
    def options(self) -> dict[str, Any]:
        """What its constructor was given, which a checkpoint keeps.

        Raises:
            EmorecError: Some of it is no plain value.
        """
        if odd := [name for name, value in self._given.items() if not _is_plain(value)]:
            expected = f"plain options of the rule {type(self).__name__}, which a checkpoint can hold"
            raise EmorecError(expected, f"others: {', '.join(odd)}", "give numbers, texts, or lists of them")
        return dict(self._given)

    def restricted(self, branches: list[int]) -> FusionRule:
        """A rule with the same options, to be fitted to some of the branches alone.

        Args:
            branches: Their places among all of them.
        """
        return deepcopy(self)

    def fit(self, logits: Tensor, labels: Tensor) -> None:
        """Learn from validation clips; a rule with nothing to learn only notes the number of branches.

        Fewer than two classes among the labels, as a further task may have where all validation actors are of
        one sex, teach nothing: the rule then keeps its prior.

        Args:
            logits: (branches, clips, classes), finite.
            labels: (clips,) int64, none of them `UNLABELLED`.
        """
        bad = [str(branch) for branch, values in enumerate(logits) if not values.isfinite().all()]
        if bad:
            found = f"NaN or infinity from branch {', '.join(bad)} (counted from 0)"
            raise EmorecError("finite validation logits", found, "train that branch again with a lower lr")
        if len(set(labels.tolist())) < 2:
            self.temperatures = [1.0] * len(logits) if self.calibrate else []
            self.keep_prior(len(logits), logits.shape[-1])
        else:
            self.temperatures = [fit_temperature(rows, labels) for rows in logits] if self.calibrate else []
            self.learn(log_probabilities(self._tempered(logits)), labels)
        self.branches = len(logits)

    def learn(self, log_p: Tensor, labels: Tensor) -> None:
        """Set what the rule learns; arguments as in `fit`, with log-probabilities for logits."""

    def keep_prior(self, branches: int, classes: int) -> None:
        """Set what the rule believes before it has seen a clip."""

    def forward(self, logits: Tensor) -> Tensor:
        """Fuse: (branches, batch, classes) -> (batch, classes) float32, log-probabilities that sum to 1.

        Raises:
            RuntimeError: `fit` has not been called, or was called with another number of branches.
        """
        self.require_fitted()
        if len(logits) != self.branches:
            raise RuntimeError(
                f"{type(self).__name__} fitted to {self.branches} branches, given {len(logits)}"
            )
        return self.fuse(log_probabilities(self._tempered(logits)))

    def _tempered(self, logits: Tensor) -> Tensor:
        if not self.temperatures:
            return logits
        return logits.float() / torch.tensor(self.temperatures, device=logits.device)[:, None, None]

    @abstractmethod
    def fuse(self, log_p: Tensor) -> Tensor:
        """Fuse log-probabilities: (branches, batch, classes) -> (batch, classes)."""

    @property
    @abstractmethod
    def shares(self) -> list[float] | None:
        """One weight a branch, summing to 1, in the order of `fit`; None where the rule has none."""

    @property
    def temperature(self) -> float | None:
        """1 / sum of the free weights, for a rule that learns a scale; else None."""
        return None

    def require_fitted(self) -> None:
        """Raise if `fit` has not been called."""
        if not self.branches:
            raise RuntimeError(f"{type(self).__name__} must be fitted before it is used")

    def get_extra_state(self) -> dict[str, Any]:
        """Return what `fit` found, as plain numbers."""
        return {"branches": self.branches, "temperatures": self.temperatures}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take back what `get_extra_state` returned."""
        self.branches = state["branches"]
        self.temperatures = state["temperatures"]


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def log_probabilities(logits: Tensor) -> Tensor:
    """Normalise over the last dimension, in float32, cut off at `LOWEST_LOG_PROBABILITY`."""
    return logits.float().log_softmax(dim=-1).clamp(min=LOWEST_LOG_PROBABILITY)
