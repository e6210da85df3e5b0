"""Pretrained encoders of speech under a head of ours, both trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_emorec.audio import sounds_of
from lightning_emorec.branches.checks import check_above_zero
from lightning_emorec.branches.hub_speech import HubSpeech
from lightning_emorec.branches.hub_weights import HubWeights, WeightsFrom
from lightning_emorec.branches.mixed_states import MixedStatesBranch
from lightning_emorec.branches.pooling import frame_mask
from lightning_emorec.branches.pretrained_speech import PretrainedSpeech, Tune, Tuning, check_tuning
from lightning_emorec.branches.whisper_speech import WhisperSpeech
from lightning_emorec.features.whisper_context import check_margin
from lightning_emorec.features.whisper_weights import WhisperWeights
from lightning_emorec.training_data import TrainingData
from lightning_emorec.types import Batch, Tasks

_CLIPS = 64  # whose states give mean and deviation: about 10,000 frames


class TunedBranch(MixedStatesBranch):
    """States of all layers, mixed by learned weights, projected, pooled by attention, and a linear head a task.

    The states are standardised by what the untrained encoder makes of some training clips.

    Args:
        tasks: Task name -> class names.
        encoder_lr: Peak learning rate of the encoder.
        recipe: As `MixedStatesBranch`; `lr` is that of the rest.

    Attributes:
        speech: The encoder, which the subclass gives.
    """

    audio_input = "augmented"
    speech: PretrainedSpeech

    def __init__(self, tasks: Tasks, encoder_lr: float, **recipe: Any) -> None:
        super().__init__(tasks, **recipe)
        check_above_zero(encoder_lr=encoder_lr)
        self.encoder_lr = encoder_lr

    @property
    def built_for_hz(self) -> int:
        """The rate that encoders of speech were trained on."""
        return 16000

    def learn_from_training(self, training: TrainingData) -> None:
        """Load the encoder, and learn class weights and the sizes, means and deviations of its states.

        Raises:
            EmorecError: The encoder cannot be had, or is of another kind.
        """
        super().learn_from_training(training)
        self.speech.learn()
        self.speech.eval()
        clips = training.clips[:: -(-len(training.clips) // _CLIPS)]
        sounds_of(clips)  # all have audio
        self.mix.learn([self._states(training.plain_audio(clip)) for clip in clips])
        self.speech.train(self.training)

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        """What the encoder reads."""
        return self.speech.inputs(batch.audio, batch.lengths)

    def encode(self, **inputs: Tensor) -> Tensor:
        """(batch, embed_size): what is pooled over the frames."""
        states, lengths = self.speech(**inputs)  # (batch, frames, layers, states)
        own = frame_mask(lengths, states.shape[1])[:, :, None]  # (batch, frames, 1)
        return self.pool_states(states, own, lengths)

    def rate_of(self, name: str) -> float:
        """The encoder has its own."""
        return self.encoder_lr if name.startswith("speech.") else self.lr

    @torch.no_grad()
    def _states(self, audio: NDArray[np.float32]) -> NDArray[np.float16]:
        """(frames, layers, states) of the (time,) audio of a clip."""
        sound = torch.tensor(audio)  # a copy: decoded audio cannot be written to
        place = self.mix.projection.weight.device
        lengths = torch.tensor([len(sound)], device=place)
        states, _ = self.speech(**self.speech.inputs(sound[None].to(place), lengths))
        kept: NDArray[np.float16] = states[0].half().cpu().numpy()
        return kept


class WhisperTuned(TunedBranch):
    """States of Whisper's encoder, mixed over layers, projected, pooled by attention, and a linear head a task.

    As `WhisperEncoder`, but from augmented audio in every epoch, so that the encoder can be trained too. Only the
    first 30 s of a clip are read.

    Args:
        tasks: Task name -> class names.
        whisper: Name or path of the Whisper model; null means `$EMOREC_WHISPER`, else tiny.en.
        margin_s: Silence after a clip's end in Whisper's context; null fills 30 s: nine times slower.
        tune: What is trained of the encoder: nothing (`frozen`), its `top` layers, low-rank changes of every
            layer's linear maps (`lora`), or `all`.
        top_layers: How many layers `top` means.
        lora_rank: Rank of what `lora` adds to each linear map.
        lora_alpha: What is added is scaled by this over the rank.
        encoder_lr: Peak learning rate of the encoder.
        recipe: As `TunedBranch`.
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
        encoder_lr: float = 1e-4,
        **recipe: Any,
    ) -> None:
        tuning = Tuning(tune, top_layers, lora_rank, lora_alpha)
        super().__init__(tasks, encoder_lr, **recipe)
        check_margin(margin_s)
        self.speech = WhisperSpeech(WhisperWeights(whisper), margin_s, tuning)

    @classmethod
    def check_available(cls, init_args: Mapping[str, Any]) -> None:
        """See whether the weights and what `tune` needs can be had.

        Raises:
            UnavailableError: They cannot.
        """
        super().check_available(init_args)
        given = cls.with_defaults(init_args)
        WhisperWeights(given["whisper"]).check_available()
        check_tuning(given["tune"])

    @classmethod
    def origins(cls, init_args: Mapping[str, Any]) -> list[str]:
        """The weights, which the environment may name."""
        return [WhisperWeights(cls.with_defaults(init_args)["whisper"]).identity]


class SpeechEncoder(TunedBranch):
    """States of wav2vec 2.0, HuBERT, WavLM or XLS-R, mixed over layers, projected, pooled by attention, and heads.

    Args:
        tasks: Task name -> class names.
        weights: Hub id (`facebook/wav2vec2-xls-r-300m`, `microsoft/wavlm-large`) or a local folder with config,
            preprocessor config and weights.
        weights_from: `pretrained` loads them; `config` takes the architecture alone, with random weights, and
            then `weights` may also be a bare architecture (`wav2vec2`), which needs no file at all.
        config_overrides: With `config`: sizes that replace its own, by the config's own names.
        spec_augment: Mask frames and channels in training, by the shares in the model's own config.
        tune: What is trained of the encoder: nothing (`frozen`), its `top` layers, low-rank changes of every
            layer's linear maps (`lora`; of WavLM's those outside attention), or `all` but the convolutions.
        top_layers: How many layers `top` means.
        lora_rank: Rank of what `lora` adds to each linear map.
        lora_alpha: What is added is scaled by this over the rank.
        width: What the states are projected to.
        encoder_lr: Peak learning rate of the encoder.
        recipe: As `TunedBranch`.
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
        encoder_lr: float = 3e-5,
        **recipe: Any,
    ) -> None:
        tuning = Tuning(tune, top_layers, lora_rank, lora_alpha)
        super().__init__(tasks, encoder_lr, width=width, **recipe)
        self.speech = HubSpeech(HubWeights(weights, weights_from, config_overrides), spec_augment, tuning)

    @classmethod
    def check_available(cls, init_args: Mapping[str, Any]) -> None:
        """See whether the weights and what `tune` needs can be had.

        Raises:
            UnavailableError: They cannot.
        """
        super().check_available(init_args)
        given = cls.with_defaults(init_args)
        names = ("weights", "weights_from", "config_overrides")
        HubWeights(*(given[name] for name in names)).check_available()
        check_tuning(given["tune"])
