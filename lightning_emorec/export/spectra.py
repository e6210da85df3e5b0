"""Power spectra as convolutions: ONNX Runtime's own STFT takes ten times longer."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, pad
from torchaudio.transforms import MelSpectrogram


class PowerSpectrum(nn.Module):
    """|DFT|² of windowed frames.

    Args:
        size: Samples of the DFT.
        hop: Samples between frames.
        window: (size,) or fewer, which lies in the middle then.
    """

    kernel: Tensor

    def __init__(self, size: int, hop: int, window: Tensor) -> None:
        super().__init__()
        self.hop = hop
        before = (size - len(window)) // 2
        window = pad(window.double(), (before, size - len(window) - before))
        turns = torch.outer(torch.arange(size // 2 + 1), torch.arange(size)).double() % size / size
        angles = 2 * math.pi * turns  # (bins, size)
        rows = torch.cat([angles.cos(), angles.sin()]) * window
        self.register_buffer("kernel", rows.float()[:, None])  # (2 * bins, 1, size)

    def forward(self, audio: Tensor) -> Tensor:
        """(batch, time) -> (batch, bins, frames); the first frame begins at the first sample."""
        parts = conv1d(audio[:, None], self.kernel, stride=self.hop).square()
        cosine, sine = parts.chunk(2, dim=1)
        return cosine + sine


class MelPower(nn.Module):
    """What a `MelSpectrogram` of powers with constant padding gives.

    Args:
        of: Whose window, hop and filters to take.
    """

    filters: Tensor

    def __init__(self, of: MelSpectrogram) -> None:
        super().__init__()
        spectrogram = of.spectrogram
        self.reach = of.n_fft // 2
        self.spectrum = PowerSpectrum(of.n_fft, of.hop_length, spectrogram.window)
        self.register_buffer("filters", of.mel_scale.fb.T.contiguous())  # (mels, bins)

    def forward(self, audio: Tensor) -> Tensor:
        """(batch, time) -> (batch, mels, frames)."""
        return torch.matmul(self.filters, self.spectrum(pad(audio, (self.reach, self.reach))))
