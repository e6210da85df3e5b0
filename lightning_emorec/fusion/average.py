from __future__ import annotations

import math

from torch import Tensor

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
