"""A self-supervised encoder of speech, trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning_emorec.branches.hub_speech import HubSpeech
from lightning_emorec.branches.hub_weights import HubWeights, WeightsFrom
from lightning_emorec.branches.tuned import TunedBranch
from lightning_emorec.branches.tuning import Tune, Tuning, check_tuning
from lightning_emorec.types import Tasks


class SpeechEncoder(TunedBranch):
    """States of wav2vec 2.0, HuBERT, WavLM or XLS-R, mixed over layers, projected, pooled by attention, and heads.

    Args:
        tasks: Task name -> class names.
        weights: Hub id (`facebook/wav2vec2-xls-r-300m`, `microsoft/wavlm-large`) or a local folder with config,
            preprocessor config and weights.
        weights_from: `pretrained` loads them; `config` takes the architecture alone, with random weights, and
            then `weights` may also be a bare architecture (`wav2vec2`), which needs no file at all.
        config_overrides: With `config`: sizes that replace its own, by the config's own names.
        spec_augment: Mask frames and channels in training, by the shares that the model's own config says.
        tune: What is trained of the encoder: nothing (`frozen`), its `top` layers, low-rank changes of every
            layer's linear maps (`lora`; of WavLM's those outside attention), or `all` but the convolutions.
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
        weights: str = "facebook/wav2vec2-xls-r-300m",
        weights_from: WeightsFrom = "pretrained",
        config_overrides: dict[str, int | list[int]] | None = None,
        spec_augment: bool = False,
        tune: Tune = "top",
        top_layers: int = 4,
        lora_rank: int = 8,
        lora_alpha: float = 16.0,
        width: int = 256,
        noise: float = 0.0,
        dropout: float = 0.3,
        encoder_lr: float = 3e-5,
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
        self.speech = HubSpeech(HubWeights(weights, weights_from, config_overrides), spec_augment, tuning)

    @classmethod
    def check_available(cls, init_args: Mapping[str, Any]) -> None:
        """See whether the weights and what `tune` needs can be had.

        Raises:
            UnavailableError: They cannot.
        """
        super().check_available(init_args)
        names = ("weights", "weights_from", "config_overrides")
        HubWeights(*(init_args[name] for name in names)).check_available()
        check_tuning(init_args["tune"])
