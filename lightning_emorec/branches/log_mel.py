"""The front end of branches that look at spectra."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchaudio.transforms import MelSpectrogram

from lightning_emorec.branches.ddp import sum_over_ranks
from lightning_emorec.branches.pooling import frame_mask

LOWEST_HZ = 40.0
"""Below lies no voice, only rumble."""


class LogMel(nn.Module):
    """Log-mel spectra, standardised by the mean and deviation of each mel over the training clips.

    The statistics are those of all frames heard in training mode so far, on all ranks, so they settle within the
    first epoch, travel in the state dict and leave a clip's loudness in place.

    Args:
        rate_hz: Sampling rate of the audio.
        mels: Number of mel bands up to half the rate.
        window_s: Length of a frame.
        hop_s: Time between frames.
        floor_db: Power is limited from below here, in dB of full scale, so that silence is finite and what a
            recorder's noise floor holds counts little.
        per_clip: Standardise each clip by its own mean and deviation of each mel instead.

    Attributes:
        mean: (mels,) of the log-power of training frames.
        variance: (mels,) likewise.
        frames_heard: () number of training frames they rest on.
    """

    mean: Tensor
    variance: Tensor
    frames_heard: Tensor

    def __init__(
        self, rate_hz: int, mels: int, window_s: float, hop_s: float, floor_db: float, per_clip: bool = False
    ) -> None:
        super().__init__()
        window = round(window_s * rate_hz)
        self.hop = round(hop_s * rate_hz)
        self.per_clip = per_clip
        self.floor = 10 ** (floor_db / 10)
        # Constant padding: with reflection a clip's last frames would depend on what follows it in its batch.
        self.power = MelSpectrogram(
            rate_hz,
            n_fft=2 ** (window - 1).bit_length(),
            win_length=window,
            hop_length=self.hop,
            f_min=LOWEST_HZ,
            n_mels=mels,
            pad_mode="constant",
        )
        self.register_buffer("mean", torch.zeros(mels))
        self.register_buffer("variance", torch.ones(mels))
        self.register_buffer("frames_heard", torch.zeros(()))

    @torch.no_grad()
    def forward(self, audio: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Turn padded audio into padded spectra.

        Args:
            audio: (batch, time), zero after each clip's end.
            lengths: (batch,) samples that are the clip's own.

        Returns:
            (batch, mels, frames) in training deviations, zero after each clip's end, and (batch,) the frames
            that are the clip's own: 1 + samples // hop.
        """
        with torch.autocast(
            audio.device.type, enabled=False
        ):  # half precision would blur sums over many frames
            spectra = (self.power(audio.float()) + self.floor).log()  # (batch, mels, frames)
        lengths = 1 + lengths // self.hop
        own = frame_mask(lengths, spectra.shape[2])[:, None]  # (batch, 1, frames)
        if self.training:
            self._hear(spectra, own)
        mean, variance = self.mean[:, None], self.variance[:, None]
        if self.per_clip:
            mean, variance = _moments(spectra, own, dim=2)  # each (batch, mels, 1)
        standardised = (spectra - mean) / variance.sqrt().clamp(min=1e-3)
        return standardised * own, lengths

    def _hear(self, spectra: Tensor, own: Tensor) -> None:
        # Chan et al. 1979: mean and variance of two sets together, from those of each. A batch is that of all ranks.
        total = (spectra * own).sum(dim=(0, 2))  # (mels,)
        sums = sum_over_ranks(torch.cat([total, own.sum().to(total)[None]]))
        mean, frames = sums[:-1] / sums[-1], sums[-1]
        squares = sum_over_ranks(((spectra - mean[:, None]).square() * own).sum(dim=(0, 2)))
        share = frames / (self.frames_heard + frames)
        between = share * (1 - share) * (mean - self.mean).square()
        self.variance.copy_((1 - share) * self.variance + share * squares / frames + between)
        self.mean.lerp_(mean, share)
        self.frames_heard.add_(frames)


def _moments(spectra: Tensor, own: Tensor, dim: int | tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean and variance of (batch, mels, frames) along `dim`, kept as 1, over own frames, (batch, 1, frames)."""
    frames = own.sum(dim=dim, keepdim=True)
    mean = (spectra * own).sum(dim=dim, keepdim=True) / frames
    return mean, ((spectra - mean).square() * own).sum(dim=dim, keepdim=True) / frames
