"""Zero mean and unit deviation over the training clips."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

LIMIT = 5.0
"""Deviations from the mean beyond which a number counts no further: openSMILE's have long tails."""

AT_ONCE = 1024
"""Clips whose rows are in memory at once."""


class Standardiser(nn.Module):
    """Shifts and scales each number as the training clips ask for, and limits it to 5 deviations.

    Args:
        size: How many numbers there are.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))

    def learn(self, rows: NDArray[np.floating]) -> None:
        """Take mean and deviation from (rows, size); a number that is always the same is only shifted."""
        self.learn_from([rows])

    def learn_from(self, clips: Iterable[NDArray[np.floating]]) -> None:
        """Take mean and deviation from the rows of all clips, each (rows, size), with few in memory at once."""
        learned, clips = StandardScaler(), iter(clips)
        while some := list(islice(clips, AT_ONCE)):
            learned.partial_fit(np.concatenate(some).astype(np.float64))  # ComParE_2016 reaches 1e13
        self.mean.copy_(torch.from_numpy(learned.mean_))
        self.deviation.copy_(torch.from_numpy(learned.scale_))

    def forward(self, rows: Tensor) -> Tensor:
        """(..., size) -> (..., size)."""
        return ((rows - self.mean) / self.deviation).clamp(-LIMIT, LIMIT)
