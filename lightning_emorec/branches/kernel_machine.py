"""Support vector machines as plain tensors, so that a checkpoint holds no pickled object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_emorec.types import Logits, Tasks

if TYPE_CHECKING:
    from sklearn.multiclass import OneVsRestClassifier

Kernel = Literal["linear", "rbf"]


def one_against_rest(kernel: Kernel, c: float, gamma: float) -> OneVsRestClassifier:
    """One support vector machine a class, not fitted yet; two classes share one."""
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.svm import SVC

    return OneVsRestClassifier(SVC(kernel=kernel, C=c, gamma=gamma))


@dataclass(frozen=True)
class Expansion:
    """Scores of one task as sums over training clips: kernel(values, clips) @ weight.T + bias.

    Attributes:
        weight: (classes, clips); 0 for clips that are no support vectors.
        bias: (classes,).
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]

    def then(self, weight: NDArray[np.float64], bias: NDArray[np.float64]) -> Expansion:
        """Followed by a linear map of the scores."""
        return Expansion(weight @ self.weight, weight @ self.bias + bias)


def expansion(fitted: OneVsRestClassifier, clips: int, classes: int) -> Expansion:
    """What scikit-learn fitted, one against the rest; columns as `calibrated.decision_scores` has them.

    Args:
        fitted: Of `SVC`s, fitted on class indices of at least two classes.
        clips: Number of clips it was fitted on.
        classes: Number of classes of the task.
    """
    machines = list(fitted.estimators_)
    made = Expansion(np.zeros((len(machines), clips)), np.array([svc.intercept_[0] for svc in machines]))
    for row, svc in zip(made.weight, machines, strict=True):
        row[svc.support_] = svc.dual_coef_[0]
    if len(machines) == 1:  # of two classes: for the second, against the first
        made = made.then(np.array([[-1.0], [1.0]]), np.zeros(2))
    place = np.eye(classes)[:, fitted.classes_]  # (classes, classes fitted on)
    return made.then(place, np.zeros(classes))


class KernelMachine(nn.Module):
    """Logits of every task from kernels between a clip and support vectors that the tasks share.

    With a linear kernel the support vectors are summed into one direction a class.

    Args:
        tasks: Task name -> class names.
        size: Numbers a clip.
        kernel: `rbf` is exp(-gamma * squared distance).
        gamma: Only for `rbf`.
    """

    def __init__(self, tasks: Tasks, size: int, kernel: Kernel, gamma: float) -> None:
        super().__init__()
        self.tasks = tasks
        self.size = size
        self.kernel = kernel
        self.gamma = gamma
        self._build(sum(len(classes) for classes in tasks.values()), torch.device("cpu"))

    def learn(self, values: NDArray[np.float32], expansions: dict[str, Expansion]) -> None:
        """Take what was fitted.

        Args:
            values: (clips, size) of the training clips.
            expansions: Task name -> its scores.
        """
        used = np.any([(made.weight != 0).any(axis=0) for made in expansions.values()], axis=0)  # (clips,)
        vectors = values[used].astype(np.float64)
        weights = {task: made.weight[:, used] for task, made in expansions.items()}
        if self.kernel == "linear":
            vectors = np.concatenate([weight @ vectors for weight in weights.values()])
            rows = np.split(
                np.eye(len(vectors)), np.cumsum([len(weight) for weight in weights.values()])[:-1]
            )
            weights = dict(zip(weights, rows, strict=True))
        self._build(len(vectors), self.vectors.weight.device)
        _fill(self.vectors.weight, vectors)
        for task, made in expansions.items():
            head = cast(nn.Linear, self.heads[task])
            _fill(head.weight, weights[task])
            _fill(head.bias, made.bias)

    def forward(self, values: Tensor) -> Logits:
        """(batch, size) -> logits of each task, (batch, classes)."""
        kernels = self.vectors(values)  # (batch, vectors)
        if self.kernel == "rbf":
            squares = values.square().sum(dim=1, keepdim=True) + self.vectors.weight.square().sum(dim=1)
            kernels = torch.exp(-self.gamma * (squares - 2 * kernels).clamp(min=0))
        return {task: head(kernels) for task, head in self.heads.items()}

    def get_extra_state(self) -> dict[str, Any]:
        """The number of vectors, in plain types."""
        return {"vectors": self.vectors.out_features}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Make room for a checkpoint's vectors; PyTorch fills the children afterwards."""
        self._build(state["vectors"], self.vectors.weight.device)

    def _build(self, vectors: int, device: torch.device) -> None:
        self.vectors = nn.Linear(self.size, vectors, bias=False, device=device)
        self.heads = nn.ModuleDict(
            {task: nn.Linear(vectors, len(classes), device=device) for task, classes in self.tasks.items()}
        )
        for weight in self.parameters():
            nn.init.zeros_(weight)
        self.requires_grad_(False)


def _fill(weight: Tensor, values: NDArray[np.float64]) -> None:
    weight.copy_(torch.from_numpy(values))
