"""An encoder of speech that comes from elsewhere and travels in our checkpoints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from lightning_emorec.branches.tuning import Tuning


class PretrainedSpeech(nn.Module, ABC):
    """Waveforms to the states of every layer.

    It is empty until its weights are loaded, or until a checkpoint's extra state, plain values, gives its sizes;
    the weights then follow in the state dict, so that a checkpoint is restored without the files they came from.

    Args:
        tuning: What is trained of the encoder.

    Attributes:
        encoder: Whose parameters have a learning rate of their own; None while this is empty.
    """

    encoder: nn.Module | None

    def __init__(self, tuning: Tuning) -> None:
        super().__init__()
        self.tuning = tuning
        self.encoder = None

    @abstractmethod
    def learn(self) -> None:
        """Load the pretrained weights.

        Raises:
            UnavailableError: They cannot be had.
            EmorecError: They are of another kind, or have fewer layers than are to be trained.
        """

    @abstractmethod
    def forward(self, audio: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Encode each clip as if it were alone.

        Args:
            audio: (batch, time), zero after each clip's end.
            lengths: (batch,) samples that are the clip's own.

        Returns:
            (batch, frames, layers, width), finite, and (batch,) the frames that are the clip's own, at least 1.
        """

    @abstractmethod
    def layers(self) -> Sequence[nn.Module]:
        """The encoder's layers, the lowest first; none while it is empty."""

    @abstractmethod
    def targets(self) -> list[str]:
        """Names of the encoder's linear maps that LoRA changes."""

    @abstractmethod
    def get_extra_state(self) -> dict[str, Any]:
        """What `set_extra_state` needs to build the encoder, in plain values; empty while this is."""

    @abstractmethod
    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Build the encoder of a checkpoint; its weights follow."""

    def train(self, mode: bool = True) -> Self:
        """Leave what is frozen in evaluation."""
        super().train(mode)
        if self.encoder is not None:
            self.tuning.switch(self.encoder, self.layers(), mode)
        return self

    def _take(self, encoder: nn.Module) -> None:
        place = next(self.parameters(), torch.empty(0)).device
        self.encoder = encoder
        self.tuning.apply(encoder, self.layers(), self.targets())
        self.to(place).train(self.training)


def linear_maps(encoder: nn.Module, layers: Sequence[nn.Module]) -> list[str]:
    """Names of all linear maps in these layers of an encoder."""
    inside = {part for layer in layers for part in layer.modules() if isinstance(part, nn.Linear)}
    return [name for name, part in encoder.named_modules() if part in inside]
