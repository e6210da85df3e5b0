"""Whisper's encoder (Radford et al. 2022, arXiv:2212.04356) for contexts of less than 30 s, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import gelu

from lightning_emorec.features.whisper_context import WINDOW, context_of, frames_of, log_mel

if TYPE_CHECKING:
    from whisper import Whisper
    from whisper.model import AudioEncoder, ResidualAttentionBlock

_AT_ONCE = 2000  # frames that are encoded at once


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
def states_of(model: Whisper, sounds: Sequence[NDArray[np.float32]], margin_s: float | None) -> list[Tensor]:
    """States of sounds at 16 kHz, those of more than 30 s in windows of 30 s.

    Args:
        model: Whose encoder.
        sounds: (time,) samples of one of any length, or of several whose contexts have one length.
        margin_s: Silence after each; None fills the window of 30 s.

    Returns:
        (1 + layers, frames, width) of each: its own frames after the convolutions and after each layer.
    """
    made: list[list[Tensor]] = [[] for _ in sounds]
    # Copies, since decoded audio cannot be written to.
    pieces = [torch.split(torch.tensor(sound), WINDOW) for sound in sounds]
    for windows in zip(*pieces, strict=True):  # the first of each sound, and so on
        mels = [log_mel(window.to(model.device), margin_s, model.dims.n_mels) for window in windows]
        states = torch.stack(layer_states(model.encoder, torch.stack(mels)), dim=1)
        for of_sound, own, window in zip(made, states, windows, strict=True):
            of_sound.append(own[:, : frames_of(len(window))])
    return [torch.cat(of_sound, dim=1) for of_sound in made]


def in_batches(samples: Sequence[int], margin_s: float | None) -> Iterator[list[int]]:
    """Places of sounds of so many samples that are encoded together: their contexts have one length."""
    alike: dict[int, list[int]] = {}  # frames of context -> places
    for place, length in enumerate(samples):
        alike.setdefault(context_of(length, margin_s), []).append(place)
    for frames, places in alike.items():
        most = encoded_at_once(frames)  # 1 from 20 s on
        yield from (places[start : start + most] for start in range(0, len(places), most))


def encoded_at_once(frames: int) -> int:
    """How many contexts of so many frames to encode together: of more, each takes longer on a CPU."""
    return max(1, _AT_ONCE // frames)
