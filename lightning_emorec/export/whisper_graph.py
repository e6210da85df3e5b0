"""Statistics of Whisper's states as a graph of waveforms."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from lightning_emorec.branches import WhisperStatistics
from lightning_emorec.branches.pooling import frame_mask
from lightning_emorec.branches.whisper_speech import _attend
from lightning_emorec.export.spans import loud_spans
from lightning_emorec.export.spectra import PowerSpectrum
from lightning_emorec.features import WhisperStateStatistics
from lightning_emorec.features.whisper_context import FRAME, RATE_HZ, SHORTEST, WINDOW, frames_of
from lightning_emorec.features.whisper_encoder import layer_states
from lightning_emorec.features.whisper_states import QUANTILES
from lightning_emorec.types import Logits

if TYPE_CHECKING:
    from whisper.model import AudioEncoder


class WhisperLogMel(nn.Module):
    """Log-mel spectra as `whisper_context.log_mel`, for clips of different lengths at once.

    Args:
        mels: Mel bands.
        margin_s: Silence after a clip's end; None fills the window of 30 s.
    """

    filters: Tensor

    def __init__(self, mels: int, margin_s: float | None) -> None:
        super().__init__()
        from whisper.audio import HOP_LENGTH, N_FFT, mel_filters

        self.margin = None if margin_s is None else round(margin_s * RATE_HZ)
        self.reach = N_FFT // 2
        self.spectrum = PowerSpectrum(N_FFT, HOP_LENGTH, torch.hann_window(N_FFT))
        self.register_buffer("filters", mel_filters("cpu", mels).clone())  # (mels, bins)

    @property
    def room(self) -> int:
        """Frames of context beyond those of the longest clip."""
        return 0 if self.margin is None else frames_of(SHORTEST + self.margin) + 1

    def forward(self, audio: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Turn padded audio into padded spectra.

        Args:
            audio: (batch, time), zero after each clip's end; at most 30 s.
            lengths: (batch,) samples that are the clip's own, at least `SHORTEST`.

        Returns:
            (batch, mels, 2 * frames), zero after each clip's context, and (batch,) frames of that context.
        """
        if self.margin is None:
            samples: int = WINDOW
            context = torch.full_like(lengths, WINDOW // FRAME)
        else:
            samples = FRAME * ((audio.shape[1] + SHORTEST + self.margin + FRAME - 1) // FRAME)
            context = frames_of(lengths + self.margin).clamp(max=WINDOW // FRAME)
        audio = pad(audio, (0, samples - audio.shape[1]))
        # The library reflects a clip with its silence at both ends.
        place = torch.arange(samples + 2 * self.reach, device=audio.device)[None] - self.reach
        last = FRAME * context[:, None] - 1
        reflected = torch.where(place > last, 2 * last - place, place.abs()).clamp(min=0)
        power = self.spectrum(audio.gather(1, reflected))[:, :, :-1]
        levels = torch.matmul(self.filters, power).clamp(min=1e-10).log10()  # (batch, mels, 2 * frames)
        own = frame_mask(2 * context, levels.shape[2])[:, None]
        loudest = torch.where(own, levels, -10.0).amax(dim=(1, 2), keepdim=True)
        return (torch.maximum(levels, loudest - 8.0) + 4.0) / 4.0 * own, context


class WhisperStatisticsGraph(nn.Module):
    """A `WhisperStatistics` that judges a clip by one view, the clip as it is, together with Whisper's encoder.

    The statistics stay in 32 bits; those that training keeps on disk are rounded to 16. Rounded here too, a difference
    in the last bit of a state would become one of 2e-4 in a log-probability.

    Args:
        branch: In evaluation mode, of one Whisper model; copied. Its audio is at 16 kHz.
    """

    def __init__(self, branch: WhisperStatistics) -> None:
        super().__init__()
        (feature,) = branch.features
        assert isinstance(feature, WhisperStateStatistics)
        self.branch = deepcopy(branch).cpu()
        self.trim_db = feature.trim_db
        self.encoder: AudioEncoder = feature.weights.load().encoder.cpu().eval().requires_grad_(False)
        self.log_mel = WhisperLogMel(self.encoder.conv1.in_channels, feature.margin_s)
        positions = self.encoder.positional_embedding
        # Frames beyond the last position are never a clip's own.
        self.encoder.positional_embedding = pad(positions, (0, 0, 0, self.log_mel.room))

    def forward(self, waveform: Tensor, length: Tensor) -> Logits:
        """Logits of each task from (batch, time) and (batch,) samples at 16 kHz."""
        length = length.clamp(min=SHORTEST)
        spectra, context = self.log_mel(waveform, length)
        mask = frame_mask(context, spectra.shape[2] // 2)[:, None, None]  # (batch, 1, 1, frames)
        made = layer_states(self.encoder, spectra, lambda block, states: _attend(block, states, mask))
        start, end = torch.zeros_like(length), length
        if self.trim_db is not None:
            start, end = loud_spans(waveform, length, RATE_HZ, self.trim_db)
        frames = torch.arange(spectra.shape[2] // 2, device=waveform.device)[None]
        own = (frames >= start[:, None] // FRAME) & (frames < frames_of(end)[:, None])
        statistics = [_statistics(states, own[:, :, None], self.branch.quantiles) for states in made]
        return self.branch.net(self.branch.rows_of([torch.stack(statistics, dim=1)[:, None]]))


def _statistics(states: Tensor, own: Tensor, quantiles: bool) -> Tensor:
    """Statistics of a layer over a clip's own frames, as `statistics_of`.

    Args:
        states: (batch, frames, width).
        own: (batch, frames, 1).
        quantiles: Whether they are asked for: sorting takes time.

    Returns:
        (batch, 2 or 5, width).
    """
    count = own.sum(dim=1)  # (batch, 1)
    mean = (states * own).sum(dim=1) / count
    variance = ((states - mean[:, None]).square() * own).sum(dim=1) / count
    moments = torch.stack([mean, variance.sqrt()], dim=1)
    if not quantiles:
        return moments
    ordered = torch.where(own, states, torch.inf).sort(dim=1).values
    place = torch.tensor(QUANTILES, device=states.device) * (count - 1)  # (batch, 3)
    below = place.long()
    low, high = (
        ordered.gather(1, at[:, :, None].expand(-1, -1, states.shape[2]))
        for at in (below, torch.minimum(below + 1, count - 1))
    )
    return torch.cat([moments, low + (place - below)[:, :, None] * (high - low)], dim=1)
