from __future__ import annotations

import torch
from torch import Tensor

from lightning_emorec.fusion.rule import FusionRule


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
