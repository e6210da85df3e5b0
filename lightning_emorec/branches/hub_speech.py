"""Self-supervised encoders of raw speech: whatever transformers' `AutoModel` loads of the kind of wav2vec 2.0."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence

from lightning_emorec.branches.hub_weights import HubWeights, encoder_of
from lightning_emorec.branches.pooling import frame_mask
from lightning_emorec.branches.pretrained_speech import PretrainedSpeech, Tuning, linear_maps
from lightning_emorec.errors import EmorecError, UnavailableError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

Count = TypeVar("Count", int, Tensor)

_MASKABLE = ("wav2vec2", "hubert", "wavlm", "unispeech", "unispeech-sat")  # others are not known to be exact
_UNNEEDED = ("masked_spec_embed", "adapter.")  # the fine-tuned lack the one, and we do without the other


class HubSpeech(PretrainedSpeech):
    """The states below, between and above an encoder's layers.

    A batch is encoded at once with an attention mask where that is exact. Where the convolutions normalise over
    time (`feat_extract_norm: group`, as in the base models), padding would change every frame, and the library's
    authors forbid the mask: such clips are encoded one by one.

    Args:
        weights: Which encoder.
        spec_augment: Mask frames and channels in training, by the shares that the model's own config says.
        tuning: What is trained of it; never the convolutions.
    """

    encoder: PreTrainedModel | None

    def __init__(self, weights: HubWeights, spec_augment: bool, tuning: Tuning) -> None:
        super().__init__(tuning)
        self.weights = weights
        self.spec_augment = spec_augment
        self.normalise = True

    def learn(self) -> None:
        """Load the weights, and whether the encoder expects each clip to have mean 0 and deviation 1.

        Raises:
            UnavailableError: They cannot be had.
            EmorecError: They are of another kind, or have fewer layers than are to be trained.
        """
        with self.weights.errors_in_one_line("an encoder of speech"):
            encoder = self.weights.model(_UNNEEDED)
            self._check(encoder)
            self.normalise = self.weights.weights_from == "config" or _normalises(self.weights.source)
        self._take_encoder(encoder)

    def forward(self, audio: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, frames, layers + 1, width), and (batch,) the frames that are the clip's own."""
        config = cast("PreTrainedModel", self.encoder).config
        samples = lengths.clamp(min=_frame_samples(config))
        sounds = self._scaled(audio.float(), lengths)
        sounds = pad(sounds, (0, max(0, int(samples.max()) - sounds.shape[1])))
        if config.model_type in _MASKABLE and config.feat_extract_norm != "group":
            mask = frame_mask(samples, sounds.shape[1])
            return self._encode(sounds, mask.long()), _frames(samples, config)
        rows = [
            self._encode(sound[None, :own], None)[0]
            for sound, own in zip(sounds, samples.tolist(), strict=True)
        ]
        return pad_sequence(rows, batch_first=True), torch.tensor(
            [len(row) for row in rows], device=audio.device
        )

    def layers(self) -> Sequence[nn.Module]:
        """The transformer's layers."""
        return [] if self.encoder is None else list(self.encoder.encoder.layers)

    def targets(self) -> list[str]:
        """Every linear map of every layer, but for WavLM's attention, which reads weights past the modules."""
        encoder = cast("PreTrainedModel", self.encoder)
        names = linear_maps(encoder, self.layers())
        if encoder.config.model_type == "wavlm":
            names = [name for name in names if ".attention." not in name]
        return names

    def train(self, mode: bool = True) -> Self:
        """Leave what is frozen in evaluation."""
        super().train(mode)
        if self.encoder is not None:
            self.encoder.feature_extractor.eval()
            self.encoder.training = mode  # of the encoder itself this decides on masking alone
        return self

    def get_extra_state(self) -> dict[str, Any]:
        """Config, as JSON text, and whether clips are scaled."""
        if self.encoder is None:
            return {}
        return {"config": self.encoder.config.to_json_string(use_diff=False), "normalise": self.normalise}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Build the encoder of a checkpoint; its weights follow."""
        from transformers import AutoConfig

        if state:
            config = json.loads(state["config"])
            self.normalise = state["normalise"]
            self._take_encoder(encoder_of(AutoConfig.for_model(config.pop("model_type"), **config)))

    def _check(self, encoder: PreTrainedModel) -> None:
        read = getattr(encoder, "main_input_name", None)
        layers = getattr(getattr(encoder, "encoder", None), "layers", None)
        if read != "input_values" or layers is None or not hasattr(encoder, "feature_extractor"):
            raise EmorecError(
                "an encoder of raw speech, as wav2vec2, hubert or wavlm",
                f"a {encoder.config.model_type}, which takes {read}, in {self.weights.name}",
                "set model.init_args.weights",
            )

    def _take_encoder(self, encoder: PreTrainedModel) -> None:
        encoder.adapter = None  # above the states that we take
        encoder.config.layerdrop = 0.0  # a layer left out has no states
        self._take(encoder)
        # As in wav2vec 2.0 itself (Baevski et al. 2020) the convolutions are never tuned, nor what masks frames.
        encoder.feature_extractor.requires_grad_(False)
        for name, weight in encoder.named_parameters():
            if name == "masked_spec_embed":
                weight.requires_grad_(False)

    def _scaled(self, audio: Tensor, lengths: Tensor) -> Tensor:
        """Each clip as the encoder expects it, zero after its end; as the library's Wav2Vec2FeatureExtractor."""
        if not self.normalise:
            return audio
        own, count = frame_mask(lengths, audio.shape[1]), lengths.clamp(min=1)[:, None]
        centred = (audio - audio.sum(dim=1, keepdim=True) / count) * own
        variance = centred.square().sum(dim=1, keepdim=True) / count
        return centred / (variance + 1e-7).sqrt()

    def _encode(self, sounds: Tensor, mask: Tensor | None) -> Tensor:
        """(batch, frames, layers + 1, width) from (batch, time)."""
        encoder = cast("PreTrainedModel", self.encoder)
        config = encoder.config
        shortest = config.mask_time_length  # of which the library does not think
        config.apply_spec_augment = self.spec_augment and _frames(sounds.shape[1], config) >= shortest
        made = encoder(sounds, attention_mask=mask, output_hidden_states=True)
        # Of the large models the library gives the last layer's states before their norm, and after it.
        return torch.stack([*made.hidden_states[:-1], made.last_hidden_state], dim=2)


def _normalises(source: str) -> bool:
    """Whether clips are to be scaled: the files say so beside the weights, and models of one kind differ."""
    from transformers import AutoFeatureExtractor

    try:
        return bool(AutoFeatureExtractor.from_pretrained(source).do_normalize)
    except OSError as error:
        fix = "add it to the files: it says whether clips are scaled"
        raise UnavailableError(f"a preprocessor_config.json in {source}", "none", fix) from error


def _frames(samples: Count, config: PreTrainedConfig) -> Count:
    """States that the convolutions make of so many samples."""
    for width, step in zip(config.conv_kernel, config.conv_stride, strict=True):
        samples = (samples - width) // step + 1
    return samples


def _frame_samples(config: PreTrainedConfig) -> int:
    """Samples that make one frame: a shorter clip is followed by silence."""
    samples = 1
    for width, step in zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True):
        samples = (samples - 1) * step + width
    return samples
