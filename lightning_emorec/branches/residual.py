"""Residual 2-D convolutions over padded spectra."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from lightning_emorec.branches.pooling import frame_mask

STEM_STRIDE = (4, 2)
"""Mels and frames that the first convolution steps over: what makes the encoder fast enough for a laptop."""


class ResidualEncoder(nn.Module):
    """Residual 2-D convolutions (He et al. 2016) over padded spectra, in which frequency is averaged away at the end.

    Each layer sets the padding back to zero, so that a clip's states do not depend on the padding.

    Args:
        widths: Channels of each stage.
    """

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.channels = widths[-1]
        self.stem = nn.Conv2d(1, widths[0], 5, stride=STEM_STRIDE, padding=2, bias=False)
        self.norm = nn.BatchNorm2d(widths[0])
        self.blocks = nn.ModuleList(
            ResidualBlock(before, after, stride=2 if stage else 1)
            for stage, (before, after) in enumerate(pairwise([widths[0], *widths]))
        )
        # On a CPU a small convolution is three times faster with the channels last.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, spectra: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Encode.

        Args:
            spectra: (batch, mels, frames), zero after each clip's end.
            lengths: (batch,) frames that are the clip's own, at least 1.

        Returns:
            (batch, channels, frames'), zero after each clip's end, and (batch,) its own among `frames'`.
        """
        images = spectra[:, None].contiguous(memory_format=torch.channels_last)  # (batch, 1, mels, frames)
        lengths = _strided(lengths, STEM_STRIDE[1])
        states = _clear_padding(relu(self.norm(self.stem(images))), lengths)
        for block in self.blocks:
            states, lengths = block(states, lengths)
        return states.mean(dim=2), lengths


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut.

    Args:
        before: Channels that come in.
        after: Channels that go out.
        stride: Of time and of frequency.
    """

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.first = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, states: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, channels, mels, frames) and (batch,) to the same, both divided by the stride, rounded up."""
        lengths = _strided(lengths, self.stride)
        changed = _clear_padding(relu(self.first_norm(self.first(states))), lengths)
        changed = self.second_norm(self.second(changed))
        return _clear_padding(relu(changed + self.shortcut(states)), lengths), lengths


def _strided(lengths: Tensor, stride: int) -> Tensor:
    return (lengths + stride - 1) // stride


def _clear_padding(states: Tensor, lengths: Tensor) -> Tensor:
    return states * frame_mask(lengths, states.shape[3])[:, None, None]
