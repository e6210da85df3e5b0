"""Training against whatever identifies the actors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn.functional import cross_entropy


class ActorAdversary(nn.Module):
    """Classifies the actor from an embedding, which learns to make that hard.

    The gradient is reversed where it enters the embedding (Ganin & Lempitsky 2015, arXiv:1409.7495). How many actors
    there are is learned from the training clips, and travels as extra state.

    Args:
        size: Width of the embedding.
        hidden: Width of the guesser's hidden layer.
    """

    def __init__(self, size: int, hidden: int = 64) -> None:
        super().__init__()
        self.size = size
        self.hidden = hidden
        self._actors: dict[str, int] = {}
        self._build(1, torch.device("cpu"))

    def learn(self, actors: Sequence[str]) -> None:
        """Make room for these actors; repetitions do no harm."""
        self._actors = {actor: number for number, actor in enumerate(sorted(set(actors)))}
        self._build(len(self._actors), self.place)

    @property
    def place(self) -> torch.device:
        """Where the weights are."""
        return cast(nn.Linear, self.guess[0]).weight.device

    def loss(self, embedding: Tensor, actors: Sequence[str]) -> Tensor:
        """Cross-entropy of the guesses.

        Args:
            embedding: (batch, size).
            actors: Of each clip; all are among those learned.

        Returns:
            A scalar. Its gradient trains the guesser, and reversed whatever made the embedding.
        """
        own = torch.tensor([self._actors[actor] for actor in actors], device=embedding.device)
        reversed_ = cast(Tensor, _Reversed.apply(embedding))  # type: ignore[no-untyped-call]
        return cross_entropy(self.guess(reversed_), own)

    def get_extra_state(self) -> dict[str, Any]:
        """The actors."""
        return {"actors": list(self._actors)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Make room for a checkpoint's weights; PyTorch fills the children afterwards."""
        self._actors = {actor: number for number, actor in enumerate(state["actors"])}
        self._build(max(1, len(self._actors)), self.place)

    def _build(self, actors: int, device: torch.device) -> None:
        self.guess = nn.Sequential(
            nn.Linear(self.size, self.hidden), nn.ReLU(), nn.Linear(self.hidden, actors)
        ).to(device)


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, embedding: Tensor) -> Tensor:  # noqa: ARG004
        return embedding.view_as(embedding)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:  # noqa: ARG004
        return -gradient
