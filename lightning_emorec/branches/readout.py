"""Numbers brought to one scale, and linear maps of them: what lies between features and logits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_emorec.types import Logits, Tasks

LIMIT = 5.0
"""Deviations from the mean beyond which a number counts no further: openSMILE's have long tails."""

AT_ONCE = 1024
"""Clips whose rows are in memory at once."""

_EVERY = 8  # frames: neighbours are alike, so fewer give mean and deviation as well


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
        from sklearn.preprocessing import StandardScaler

        learned, clips = StandardScaler(), iter(clips)
        while some := list(islice(clips, AT_ONCE)):
            learned.partial_fit(np.concatenate(some).astype(np.float64))  # ComParE_2016 reaches 1e13
        self.mean.copy_(torch.from_numpy(learned.mean_))
        self.deviation.copy_(torch.from_numpy(learned.scale_))

    def forward(self, rows: Tensor) -> Tensor:
        """(..., size) -> (..., size)."""
        return ((rows - self.mean) / self.deviation).clamp(-LIMIT, LIMIT)


class LayerMix(nn.Module):
    """Standardised states of all layers, side by side, projected: each output weighs the layers in its own way.

    One weight a layer for all of them, a softmax as in SUPERB (Yang et al. 2021), did worse here: layers hold different
    information. How many layers there are and how wide they are is learned from the training clips, and travels as
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


class LinearReadout(nn.Module):
    """Standardised numbers into logits. How many numbers there are is learned, and travels as extra state.

    Args:
        tasks: Task name -> class names.
    """

    def __init__(self, tasks: Tasks) -> None:
        super().__init__()
        self.tasks = tasks
        self._build(1, torch.device("cpu"))

    def learn_scale(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Take mean and deviation from (rows, size), and give the rows standardised."""
        self._build(rows.shape[1], self.standardiser.mean.device)
        self.standardiser.learn(rows)
        standard = self.standardiser.cpu()(torch.from_numpy(rows))
        return cast("NDArray[np.float64]", standard.double().numpy())

    def learn(self, solved: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> None:
        """Take (classes, size) weights and (classes,) biases of each task."""
        for task, (weight, bias) in solved.items():
            head = cast(nn.Linear, self.heads[task])
            head.weight.copy_(torch.from_numpy(weight))
            head.bias.copy_(torch.from_numpy(bias))

    def forward(self, rows: Tensor) -> Logits:
        """(..., size) -> logits of each task, (..., classes)."""
        standard = self.standardiser(rows)
        return {task: head(standard) for task, head in self.heads.items()}

    def get_extra_state(self) -> dict[str, Any]:
        """How many numbers there are, in plain types."""
        return {"size": len(self.standardiser.mean)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Make room for a checkpoint's weights; PyTorch fills the children afterwards."""
        self._build(state["size"], self.standardiser.mean.device)

    def _build(self, size: int, device: torch.device) -> None:
        self.standardiser = Standardiser(size).to(device)
        self.heads = nn.ModuleDict(
            {task: nn.Linear(size, len(classes), device=device) for task, classes in self.tasks.items()}
        )
        self.requires_grad_(False)
