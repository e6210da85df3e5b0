"""Whisper's encoder (Radford et al. 2022, arXiv:2212.04356), for batches of clips of any length, trainable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.nn.utils.rnn import pad_sequence

from lightning_emorec.branches.pooling import frame_mask
from lightning_emorec.branches.pretrained_speech import PretrainedSpeech, Tuning, linear_maps
from lightning_emorec.features.whisper_context import SHORTEST, WINDOW, frames_of, log_mel
from lightning_emorec.features.whisper_encoder import layer_states
from lightning_emorec.features.whisper_weights import WhisperWeights

if TYPE_CHECKING:
    from whisper.model import AudioEncoder, ResidualAttentionBlock


class WhisperSpeech(PretrainedSpeech):
    """States after each layer of Whisper's encoder, in frames of 20 ms.

    The library's own encoder insists on 30 s. Here the context of each clip ends shortly after it, as in
    `WhisperStates`, and attention is masked, so that padding has no influence. Only the first 30 s are read.

    Args:
        weights: Whose encoder to take.
        margin_s: Silence after a clip's end; None fills the window of 30 s.
        tuning: What is trained of it.
    """

    encoder: AudioEncoder | None

    def __init__(self, weights: WhisperWeights, margin_s: float | None, tuning: Tuning) -> None:
        super().__init__(tuning)
        self.weights = weights
        self.margin_s = margin_s

    def learn(self) -> None:
        """Load the weights.

        Raises:
            UnavailableError: They cannot be had.
            EmorecError: They are no Whisper checkpoint, or have fewer layers than are to be trained.
        """
        self._take_encoder(self.weights.load().encoder)

    def inputs(self, audio: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """Spectra of all clips, the frames that are the clip's own, and a mask of contexts that differ in length."""
        mels = cast("AudioEncoder", self.encoder).conv1.in_channels
        spectra, context = self._spectra(audio, lengths.clamp(max=WINDOW), mels)
        made = {"spectra": spectra, "frames": frames_of(lengths.clamp(SHORTEST, WINDOW))}
        mask = frame_mask(context, spectra.shape[2] // 2)[:, None, None]  # (batch, 1, 1, frames)
        return made if bool(mask.all()) else {**made, "mask": mask}

    def forward(self, spectra: Tensor, frames: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(batch, frames, layers, width), and (batch,) the frames that are the clip's own."""
        encoder = cast("AudioEncoder", self.encoder)
        # What is frozen records no graph, since nothing below the first trained weight requires grad.
        made = layer_states(encoder, spectra, lambda block, states: _attend(block, states, mask))
        return torch.stack(made[1:], dim=2)[:, : int(frames.max())], frames

    def layers(self) -> Sequence[nn.Module]:
        """The encoder's blocks."""
        return [] if self.encoder is None else list(self.encoder.blocks)

    def targets(self) -> list[str]:
        """Every linear map of every block."""
        return linear_maps(cast("AudioEncoder", self.encoder), self.layers())

    def get_extra_state(self) -> dict[str, Any]:
        """The encoder's sizes."""
        if self.encoder is None:
            return {}
        frames, width = self.encoder.positional_embedding.shape
        first = cast("ResidualAttentionBlock", self.layers()[0])
        return {
            "n_mels": self.encoder.conv1.in_channels,
            "n_ctx": frames,
            "n_state": width,
            "n_head": first.attn.n_head,
            "n_layer": len(self.layers()),
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Build the encoder of a checkpoint; its weights follow."""
        from whisper.model import AudioEncoder

        if state:
            self._take_encoder(AudioEncoder(**state))

    def _take_encoder(self, encoder: AudioEncoder) -> None:
        encoder.ln_post = nn.Identity()  # for the decoder, which is not here
        self._take(encoder)

    @torch.no_grad()
    def _spectra(self, audio: Tensor, lengths: Tensor, mels: int) -> tuple[Tensor, Tensor]:
        """(batch, mels, 2 * frames), zero after each clip's context, and (batch,) frames of that context."""
        with torch.autocast(audio.device.type, enabled=False):  # powers overflow 16 bits
            rows = [
                log_mel(row[:length], self.margin_s, mels).T
                for row, length in zip(audio.float(), lengths.tolist(), strict=True)
            ]
        context = torch.tensor([len(row) // 2 for row in rows], device=audio.device)
        return pad_sequence(rows, batch_first=True).transpose(1, 2), context


def _attend(block: ResidualAttentionBlock, states: Tensor, mask: Tensor | None) -> Tensor:
    """The block's own forward, (batch, frames, width) to the same, with a mask over the frames attended to."""
    attention, normed = block.attn, block.attn_ln(states)
    query, key, value = (
        part(normed)
        .unflatten(2, (attention.n_head, -1))
        .transpose(1, 2)  # (batch, heads, frames, width / heads)
        for part in (attention.query, attention.key, attention.value)
    )
    mixed = scaled_dot_product_attention(query, key, value, attn_mask=mask)
    states = states + attention.out(mixed.transpose(1, 2).flatten(2))
    new: Tensor = states + block.mlp(block.mlp_ln(states))
    return new
