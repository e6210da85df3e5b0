"""One sequence of states out of those of several layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_emorec.branches.standardiser import Standardiser

_EVERY = 8  # frames: neighbours are alike, so fewer tell mean and deviation as well


class LayerMix(nn.Module):
    """Standardised states of all layers, side by side, projected: each output weighs the layers in its own way.

    One weight a layer for all of them, a softmax as in SUPERB (Yang et al. 2021), did worse here: layers tell different
    things. How many layers there are and how wide they are is learned from the training clips, and travels as
    extra state.

    Args:
        width: What the states are projected to.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self._build(1, 1, torch.device("cpu"))

    def learn(self, clips: Sequence[NDArray[np.float16]]) -> None:
        """Take the sizes, means and deviations of training clips, each (frames, layers, states); forget the rest."""
        _, layers, states = clips[0].shape
        self._build(layers, states, self.projection.weight.device)
        self.standardiser.learn_from(clip[::_EVERY].reshape(-1, layers * states) for clip in clips)

    def forward(self, states: Tensor, noise: float = 0.0) -> Tensor:
        """(batch, frames, layers, states) -> (batch, frames, width); `noise` deviations are added before."""
        standard = self.standardiser(states.flatten(2))  # (batch, frames, layers * states)
        if noise:
            standard = standard + noise * torch.randn_like(standard)
        projected: Tensor = self.projection(standard)
        return projected

    def get_extra_state(self) -> dict[str, Any]:
        """The sizes, in plain types."""
        return {"layers": self.layers, "states": self.projection.in_features // self.layers}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Make room for a checkpoint's weights; PyTorch fills the children afterwards."""
        self._build(state["layers"], state["states"], self.projection.weight.device)

    def _build(self, layers: int, states: int, device: torch.device) -> None:
        self.layers = layers
        self.standardiser = Standardiser(layers * states).to(device)
        self.projection = nn.Linear(layers * states, self.width, device=device)
