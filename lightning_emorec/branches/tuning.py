"""Which part of a pretrained encoder is trained, and how the rest of it is kept still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn

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

    Raises:
        EmorecError: A number below 1.
    """

    tune: Tune
    top_layers: int
    lora_rank: int
    lora_alpha: float

    def __post_init__(self) -> None:
        numbers = {
            "top_layers": self.top_layers,
            "lora_rank": self.lora_rank,
            "lora_alpha": self.lora_alpha,
        }
        for knob, number in numbers.items():
            if number < 1:
                raise EmorecError(f"{knob} of at least 1", f"{number}", f"mend model.init_args.{knob}")

    def apply(self, encoder: nn.Module, layers: Sequence[nn.Module], targets: Sequence[str]) -> None:
        """Let what is to be trained require grad, and nothing else.

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
            raise EmorecError(expected, f"{self.top_layers}", "mend model.init_args.top_layers")
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
