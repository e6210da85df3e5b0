"""What branches over the states of all layers of a pretrained encoder have in common."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import gelu

from lightning_emorec.branches.checks import check_at_least, check_shares
from lightning_emorec.branches.gradient import GradientBranch
from lightning_emorec.branches.pooling import AttentiveStatistics
from lightning_emorec.branches.readout import LayerMix
from lightning_emorec.types import Tasks


class MixedStatesBranch(GradientBranch):
    """States mixed over layers, projected, pooled by attention, and a linear head a task.

    Args:
        tasks: Task name -> class names.
        width: What the states are projected to.
        noise: Standard deviation of what training adds to each standardised state.
        dropout: Of the mixed states and before the heads.
        recipe: As `GradientBranch`.
    """

    def __init__(
        self, tasks: Tasks, width: int = 128, noise: float = 0.0, dropout: float = 0.3, **recipe: Any
    ) -> None:
        super().__init__(tasks, **recipe)
        check_at_least(1, width=width)
        check_at_least(0, noise=noise)
        check_shares(dropout=dropout)
        self.noise = noise
        self.mix = LayerMix(width)
        self.pooling = AttentiveStatistics(width)
        self.norm = nn.LayerNorm(self.pooling.outputs)
        self.add_heads(self.pooling.outputs, dropout)

    def pool_states(self, states: Tensor, own: Tensor, lengths: Tensor) -> Tensor:
        """Mix layers and pool frames.

        Args:
            states: (batch, frames, layers, states).
            own: (batch, frames, 1), 1 for the clip's own frames.
            lengths: (batch,) how many these are, at least 1.

        Returns:
            (batch, embed_size).
        """
        mixed = self.mix(states, self.noise if self.training else 0.0)
        mixed = self.dropout(gelu(mixed)) * own  # (batch, frames, width)
        pooled: Tensor = self.norm(self.pooling(mixed.transpose(1, 2), lengths))  # (batch, 2 * width)
        return pooled
