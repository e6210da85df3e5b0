"""Changes to training spectra that cost almost nothing, because they are made on the device after the mel filters."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample
from torchaudio.transforms import FrequencyMasking, TimeMasking

from lightning_emorec.branches.pooling import frame_mask


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
