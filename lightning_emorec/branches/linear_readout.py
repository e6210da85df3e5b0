"""A linear map for each task from many standardised numbers, solved rather than trained."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_emorec.branches.standardiser import Standardiser
from lightning_emorec.types import Logits, Tasks


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
