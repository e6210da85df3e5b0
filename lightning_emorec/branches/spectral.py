"""Log-mel spectra, and changes to those of training clips that cost almost nothing on the device."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample
from torchaudio.transforms import FrequencyMasking, MelSpectrogram, TimeMasking

from lightning_emorec.branches.ddp import sum_over_ranks
from lightning_emorec.branches.pooling import frame_mask

LOWEST_HZ = 40.0
"""Below lies no voice, only rumble."""


class LogMel(nn.Module):
    """Log-mel spectra, standardised by the mean and deviation of each mel over the training clips.

    The statistics are those of all frames read in training mode so far, on all ranks, so they settle within the
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
            self._learn(spectra, own)
        mean, variance = self.mean[:, None], self.variance[:, None]
        if self.per_clip:
            mean, variance = _moments(spectra, own, dim=2)  # each (batch, mels, 1)
        standardised = (spectra - mean) / variance.sqrt().clamp(min=1e-3)
        return standardised * own, lengths

    def _learn(self, spectra: Tensor, own: Tensor) -> None:
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


class SpecAugment(nn.Module):
    """Warps and masks the log-mel spectra of training clips, each with its own draws.

    Masks are those of Park et al. 2019, "SpecAugment". The warp is linear: time is stretched, and the mel axis
    is scaled and shifted, as another vocal tract and another pitch would (Jaitly and Hinton 2013).

    Args:
        freq_masks: Masks over mels.
        freq_mels: Widest mask, in mels.
        time_masks: Masks over frames.
        time_share: Widest mask, as a share of the batch's frames.
        stretch: Largest relative change of duration, either way.
        mel_scale: Largest relative change of the mel axis.
        mel_shift: Largest shift, in mels.
    """

    def __init__(
        self,
        freq_masks: int,
        freq_mels: int,
        time_masks: int,
        time_share: float,
        stretch: float,
        mel_scale: float,
        mel_shift: float,
    ) -> None:
        super().__init__()
        self.freq_masks = freq_masks
        self.freq_mels = freq_mels
        self.time_masks = time_masks
        self.time_share = time_share
        self.stretch = stretch
        self.mel_scale = mel_scale
        self.mel_shift = mel_shift

    @torch.no_grad()
    def forward(self, spectra: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Change spectra in training mode; pass them on as they are otherwise.

        Args:
            spectra: (batch, mels, frames), zero after each clip's end; 0 is the mean of the training clips.
            lengths: (batch,) frames that are the clip's own.

        Returns:
            (batch, mels, frames') and (batch,), likewise.
        """
        if not self.training:
            return spectra, lengths
        spectra, lengths = self._warp(spectra, lengths)
        for _ in range(self.freq_masks):
            spectra = FrequencyMasking(self.freq_mels, iid_masks=True)(spectra)
        for _ in range(self.time_masks):
            spectra = TimeMasking(max(1, int(self.time_share * spectra.shape[2])), iid_masks=True)(spectra)
        return spectra, lengths

    def _warp(self, spectra: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        if not (self.stretch or self.mel_scale or self.mel_shift):
            return spectra, lengths
        drawn = (
            width * (2 * torch.rand(len(spectra), 1, device=spectra.device) - 1)
            for width in (self.stretch, self.mel_scale, self.mel_shift)
        )
        return warp(spectra, lengths, *drawn)


def warp(
    spectra: Tensor, lengths: Tensor, stretch: Tensor, mel_scale: Tensor, mel_shift: Tensor
) -> tuple[Tensor, Tensor]:
    """Stretch time, and scale and shift the mel axis.

    Args:
        spectra: (batch, mels, frames), zero after each clip's end.
        lengths: (batch,) frames that are the clip's own.
        stretch: (batch, 1) relative change of duration.
        mel_scale: (batch, 1) relative change of the mel axis.
        mel_shift: (batch, 1) mels.

    Returns:
        (batch, mels, frames') and (batch,), likewise.
    """
    _, mels, frames = spectra.shape
    last = lengths[:, None] - 0.5  # centre of the clip's last frame: beyond it lies padding
    lengths = (lengths * (1 + stretch[:, 0])).round().long().clamp(min=1)
    warped = int(lengths.max())
    # Where each new frame and mel is taken from, in [-1, 1] between the outer edges of the old ones.
    source = torch.minimum(_centres(warped, spectra) / (1 + stretch), last)  # (batch, frames')
    time = source / frames * 2 - 1
    mel = (_centres(mels, spectra) * (1 + mel_scale) + mel_shift) / mels * 2 - 1  # (batch, mels)
    grid = torch.stack(
        [
            time[:, None, :].expand(-1, mels, -1),
            mel[:, :, None].expand(-1, -1, warped),
        ],
        dim=-1,
    )  # (batch, mels, frames', 2)
    taken = grid_sample(spectra[:, None], grid, padding_mode="border", align_corners=False)[:, 0]
    return taken * frame_mask(lengths, warped)[:, None], lengths


def mild_warps(
    stretch: float, mel_scale: float, mel_shift: float, share: float = 2 / 3
) -> list[tuple[float, float, float]]:
    """Changes of one kind at a time, both ways, well within what training draws.

    Args:
        stretch: Largest of training; 0 leaves this kind out.
        mel_scale: Likewise.
        mel_shift: Likewise, in mels.
        share: Of the largest.

    Returns:
        (stretch, mel_scale, mel_shift) of each.
    """
    return [
        (by * stretch * (kind == 0), by * mel_scale * (kind == 1), by * mel_shift * (kind == 2))
        for kind, most in enumerate((stretch, mel_scale, mel_shift))
        if most
        for by in (-share, share)
    ]


def _centres(count: int, like: Tensor) -> Tensor:
    return torch.arange(count, device=like.device, dtype=like.dtype) + 0.5
