"""Whisper's encoder, trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning_emorec.branches.tuned import TunedBranch
from lightning_emorec.branches.tuning import Tune, Tuning, check_tuning
from lightning_emorec.branches.whisper_speech import WhisperSpeech
from lightning_emorec.features.whisper_context import check_margin
from lightning_emorec.features.whisper_weights import WhisperWeights
from lightning_emorec.types import Tasks


class WhisperTuned(TunedBranch):
    """States of Whisper's encoder, mixed over layers, projected, pooled by attention, and a linear head a task.

    As `WhisperEncoder`, but from augmented audio in every epoch, so that the encoder can be trained too. Only the
    first 30 s of a clip are heard.

    Args:
        tasks: Task name -> class names.
        whisper: Name or path of the Whisper model; null means `$EMOREC_WHISPER`, else tiny.en.
        margin_s: Silence that Whisper hears after a clip's end; null fills 30 s: nine times slower.
        tune: What is trained of the encoder: nothing (`frozen`), its `top` layers, low-rank changes of every
            layer's linear maps (`lora`), or `all`.
        top_layers: How many layers `top` means.
        lora_rank: Rank of what `lora` adds to each linear map.
        lora_alpha: What is added is scaled by this over the rank.
        width: What the states are projected to.
        noise: Standard deviation of what training adds to each standardised state.
        dropout: Of the mixed states and before the heads.
        encoder_lr: Peak learning rate of the encoder.
        loss_weights: Task name -> factor of its loss; a task that is not named weighs 1.
        label_smoothing: Share of the target that is spread over all classes.
        class_weights: Weigh each class by the inverse of its share of the training clips.
        lr: Peak learning rate of the rest.
        weight_decay: Of matrices and kernels.
        warmup_epochs: Epochs of linear rise to the learning rates.

    Raises:
        EmorecError: An argument out of range.
    """

    def __init__(
        self,
        tasks: Tasks,
        whisper: str | None = None,
        margin_s: float | None = 0.5,
        tune: Tune = "top",
        top_layers: int = 2,
        lora_rank: int = 8,
        lora_alpha: float = 16.0,
        width: int = 128,
        noise: float = 0.0,
        dropout: float = 0.3,
        encoder_lr: float = 1e-4,
        loss_weights: dict[str, float] | None = None,
        label_smoothing: float = 0.1,
        class_weights: bool = False,
        lr: float = 1e-3,
        weight_decay: float = 0.02,
        warmup_epochs: float = 1.0,
    ) -> None:
        tuning = Tuning(tune, top_layers, lora_rank, lora_alpha)
        super().__init__(
            tasks,
            width,
            noise,
            dropout,
            encoder_lr,
            loss_weights,
            label_smoothing,
            class_weights,
            lr,
            weight_decay,
            warmup_epochs,
        )
        check_margin(margin_s)
        self.speech = WhisperSpeech(WhisperWeights(whisper), margin_s, tuning)

    @classmethod
    def check_available(cls, init_args: Mapping[str, Any]) -> None:
        """See whether the weights and what `tune` needs can be had.

        Raises:
            UnavailableError: They cannot.
        """
        super().check_available(init_args)
        WhisperWeights(init_args["whisper"]).check_available()
        check_tuning(init_args["tune"])

    @classmethod
    def origins(cls, init_args: Mapping[str, Any]) -> list[str]:
        """The weights, which the environment may name."""
        return [WhisperWeights(init_args["whisper"]).identity]
