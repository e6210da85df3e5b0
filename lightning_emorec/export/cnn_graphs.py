"""Convolutional branches as graphs of waveforms."""

from __future__ import annotations

import math
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from lightning_emorec.audio import FrontEnd
from lightning_emorec.branches import AudioCnn, PublishedCnn
from lightning_emorec.branches.pooling import frame_mask
from lightning_emorec.export.spans import front_end
from lightning_emorec.export.spectra import MelPower
from lightning_emorec.types import Logits


class AudioCnnGraph(nn.Module):
    """An `AudioCnn` after its front end, judging each clip by its warps too where the branch does.

    Args:
        branch: In evaluation mode; copied.
        options: Front end of the model.
    """

    def __init__(self, branch: AudioCnn, options: FrontEnd) -> None:
        super().__init__()
        self.branch = deepcopy(branch)
        mels = len(self.branch.log_mel.mean)
        self.branch.log_mel.power = MelPower(self.branch.log_mel.power)
        self.options = options
        most = math.ceil(max([0.0, *(stretch for stretch, _, _ in branch.warps)]) * 1000)
        amounts = [(0.0, 0.0, 0.0), *branch.warps] if branch.warps else []
        self.warps = nn.ModuleList(_Warp(mels, most, *of) for of in amounts)

    def forward(self, waveform: Tensor, length: Tensor) -> Logits:
        """Logits of each task from (batch, time) and (batch,) samples."""
        audio, length = front_end(waveform, length, self.options)
        spectra, frames = self.branch.log_mel(audio, length)
        if not self.warps:
            return self.branch.classify(self.branch._pool(spectra, frames))
        views = [
            warp(spectra, frames) for warp in self.warps
        ]  # all in one batch: the graph holds one encoder
        pooled = self.branch._pool(torch.cat([of[0] for of in views]), torch.cat([of[1] for of in views]))
        rows = {
            task: of.reshape(len(views), -1, of.shape[1]) for task, of in self.branch.classify(pooled).items()
        }
        return {task: of.softmax(dim=2).mean(dim=0).log() for task, of in rows.items()}


class _Warp(nn.Module):
    """`spectral.warp` by fixed amounts, without looking at values to find the size of what comes out.

    The interpolation is separable: a matrix over mels, and two neighbours over frames.

    Args:
        mels: Mel bands.
        longer: Thousandths by which what comes out is longer than what goes in: room for the largest stretch.
        stretch: Relative change of duration.
        mel_scale: Relative change of the mel axis.
        mel_shift: In mels.
    """

    across: Tensor

    def __init__(self, mels: int, longer: int, stretch: float, mel_scale: float, mel_shift: float) -> None:
        super().__init__()
        self.longer = longer
        self.stretch = stretch
        source = (torch.arange(mels) + 0.5) * (1 + mel_scale) + mel_shift - 0.5
        source = source.clamp(0, mels - 1)  # the border is repeated
        near = (1 - (source[:, None] - torch.arange(mels)).abs()).clamp(min=0)
        self.register_buffer("across", near)  # (mels, mels), two numbers a row
        self.moved = bool(mel_scale or mel_shift)

    def forward(self, spectra: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, mels, frames), zero after each clip's end, and (batch,) its own, to the same in a longer tensor."""
        if self.moved:
            spectra = torch.matmul(self.across, spectra)
        longest = spectra.shape[2]
        size = longest + (longest * self.longer) // 1000 + 1
        if not self.stretch:
            return pad(spectra, (0, size - longest)), frames
        own = (frames * (1 + self.stretch)).round().long().clamp(min=1)
        centres = torch.arange(size, device=spectra.device) + 0.5
        source = torch.minimum(centres[None] / (1 + self.stretch), frames[:, None] - 0.5) - 0.5
        source = source.clamp(min=0)
        below = source.floor()
        share = (source - below)[:, None]  # (batch, 1, frames')
        low = below.long()
        high = torch.minimum(low + 1, torch.full_like(low, longest - 1))
        shape = (-1, spectra.shape[1], -1)
        taken = torch.lerp(
            spectra.gather(2, low[:, None].expand(*shape)),
            spectra.gather(2, high[:, None].expand(*shape)),
            share,
        )
        return taken * frame_mask(own, size)[:, None], own


class PublishedCnnGraph(nn.Module):
    """A `PublishedCnn` after its front end.

    Args:
        branch: In evaluation mode; copied.
        options: Front end of the model.
    """

    def __init__(self, branch: PublishedCnn, options: FrontEnd) -> None:
        super().__init__()
        self.branch = deepcopy(branch)
        self.branch.front_end.power = MelPower(self.branch.front_end.power)
        self.options = options

    def forward(self, waveform: Tensor, length: Tensor) -> Logits:
        """Logits of each task from (batch, time) and (batch,) samples."""
        audio, _ = front_end(waveform, length, self.options)
        samples = self.branch.front_end.samples
        return self.branch.net(pad(audio, (0, samples))[:, :samples])
