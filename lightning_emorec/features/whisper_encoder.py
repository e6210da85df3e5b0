"""Whisper's encoder (Radford et al. 2022, arXiv:2212.04356) for contexts of less than 30 s, layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import gelu

from lightning_emorec.features.whisper_context import WINDOW, frames_of, log_mel

if TYPE_CHECKING:
    from whisper import Whisper
    from whisper.model import AudioEncoder, ResidualAttentionBlock


def layer_states(
    encoder: AudioEncoder,
    spectra: Tensor,
    run_block: Callable[[ResidualAttentionBlock, Tensor], Tensor] = lambda block, states: block(states),
) -> list[Tensor]:
    """States after the convolutions and each layer; `encoder` itself insists on 30 s and gives only the last.

    Args:
        encoder: Whisper's.
        spectra: (batch, mels, 2 * frames).
        run_block: Runs a block on (batch, frames, width).

    Returns:
        (batch, frames, width) of the convolutions, before the code of positions, and of each layer, the lowest first.
    """
    states = gelu(encoder.conv2(gelu(encoder.conv1(spectra)))).transpose(1, 2)
    made = [states]
    states = states + encoder.positional_embedding[: states.shape[1]]
    for block in encoder.blocks:
        states = run_block(cast("ResidualAttentionBlock", block), states)
        made.append(states)
    return made


@torch.inference_mode()
def states_of(model: Whisper, sound: NDArray[np.float32], margin_s: float | None) -> Tensor:
    """States of a sound at 16 kHz, of more than 30 s in windows of 30 s.

    Each sound is encoded alone: with others in its batch its last bits would depend on them.

    Args:
        model: Whose encoder.
        sound: (time,) samples.
        margin_s: Silence after it; None fills the window of 30 s.

    Returns:
        (1 + layers, frames, width): its own frames after the convolutions and after each layer.
    """
    made = []
    for window in torch.split(
        torch.tensor(sound), WINDOW
    ):  # a copy, since decoded audio cannot be written to
        mel = log_mel(window.to(model.device), margin_s, model.dims.n_mels)  # (mels, 2 * frames)
        states = torch.cat(layer_states(model.encoder, mel[None]))  # (1 + layers, frames, width)
        made.append(states[:, : frames_of(len(window))])
    return torch.cat(made, dim=1)
