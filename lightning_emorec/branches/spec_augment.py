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
        _, mels, frames = spectra.shape
        stretch, scale, shift = (
            width * (2 * torch.rand(len(spectra), 1, device=spectra.device) - 1)
            for width in (self.stretch, self.mel_scale, self.mel_shift)
        )  # each (batch, 1)
        lengths = (lengths * (1 + stretch[:, 0])).round().long().clamp(min=1)
        warped = int(lengths.max())
        # Where each new frame and mel is taken from, in [-1, 1] between the outer edges of the old ones.
        time = _centres(warped, spectra) / (1 + stretch) / frames * 2 - 1  # (batch, frames')
        mel = (_centres(mels, spectra) * (1 + scale) + shift) / mels * 2 - 1  # (batch, mels)
        grid = torch.stack(
            [
                time[:, None, :].expand(-1, mels, -1),
                mel[:, :, None].expand(-1, -1, warped),
            ],
            dim=-1,
        )  # (batch, mels, frames', 2)
        taken = grid_sample(spectra[:, None], grid, padding_mode="border", align_corners=False)[:, 0]
        return taken * frame_mask(lengths, warped)[:, None], lengths


def _centres(count: int, like: Tensor) -> Tensor:
    return torch.arange(count, device=like.device, dtype=like.dtype) + 0.5
