"""Pretrained encoders of speech that travel in our checkpoints, and which part of them is trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from lightning_emorec.branches.checks import check_at_least
from lightning_emorec.errors import EmorecError, UnavailableError

Tune = Literal["frozen", "top", "lora", "all"]


@dataclass(frozen=True)
class Tuning:
    """A way to train a pretrained encoder.

    Attributes:
        tune: Train nothing of it (`frozen`), its `top` layers, low-rank changes of the linear maps in every layer
            (`lora`: Hu et al. 2021, arXiv:2106.09685), or `all`.
        top_layers: How many layers `top` means.
        lora_rank: Rank of the changes.
        lora_alpha: A change is scaled by this over its rank.
    """

    tune: Tune
    top_layers: int
    lora_rank: int
    lora_alpha: float

    def __post_init__(self) -> None:
        check_at_least(1, top_layers=self.top_layers, lora_rank=self.lora_rank, lora_alpha=self.lora_alpha)

    def apply(self, encoder: nn.Module, layers: Sequence[nn.Module], targets: Sequence[str]) -> None:
        """Let what is trained require grad, and nothing else.

        Args:
            encoder: With `lora` it is changed in place: each target is wrapped.
            layers: Its layers, the lowest first.
            targets: Names of the linear maps in `encoder` that `lora` changes.

        Raises:
            UnavailableError: PEFT is needed and absent.
            EmorecError: Fewer layers than are to be trained.
        """
        if self.tune == "top" and self.top_layers > len(layers):
            expected = f"top_layers of at most {len(layers)}, which the encoder has"
            raise EmorecError(expected, f"{self.top_layers}", "set model.init_args.top_layers")
        encoder.requires_grad_(self.tune == "all")
        for layer in self._top(layers):
            layer.requires_grad_(True)
        if self.tune == "lora":
            check_tuning(self.tune)
            from peft import LoraConfig, inject_adapter_in_model

            config = LoraConfig(
                r=self.lora_rank, lora_alpha=self.lora_alpha, target_modules=list(targets), bias="none"
            )
            inject_adapter_in_model(config, encoder)

    def switch(self, encoder: nn.Module, layers: Sequence[nn.Module], training: bool) -> None:
        """Put what is trained in this mode and the rest in evaluation, where it does not drop out."""
        encoder.train(training and self.tune == "all")
        for layer in self._top(layers):
            layer.train(training)

    def _top(self, layers: Sequence[nn.Module]) -> Sequence[nn.Module]:
        return list(layers)[-self.top_layers :] if self.tune == "top" else []


def check_tuning(tune: Tune) -> None:
    """See whether PEFT is installed, if it is needed.

    Raises:
        UnavailableError: It is not.
    """
    if tune != "lora":
        return
    try:
        import peft  # noqa: F401
    except ImportError as error:
        fix = "pip install 'lightning-emorec[lora]', or choose another model.init_args.tune"
        raise UnavailableError("the package peft", str(error), fix) from error


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

    def inputs(self, audio: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """What `forward` reads.

        Args:
            audio: (batch, time), zero after each clip's end.
            lengths: (batch,) samples that are the clip's own.
        """
        return {"audio": audio, "lengths": lengths}

    @abstractmethod
    def forward(self, *args: Any, **inputs: Any) -> tuple[Tensor, Tensor]:
        """Encode each clip as if it were alone.

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
