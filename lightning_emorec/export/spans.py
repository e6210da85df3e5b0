"""Cutting of padded waveforms inside a graph: `audio/shape.py` and `FrontEnd`, for a batch of tensors."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, pad

from lightning_emorec.audio import FrontEnd
from lightning_emorec.audio.shape import HOP_S, SHORTEST_S


def loud_spans(audio: Tensor, lengths: Tensor, rate_hz: int, below_peak_db: float) -> tuple[Tensor, Tensor]:
    """Where clips are not silent, as `loud_span`.

    Args:
        audio: (batch, time), zero after each clip's end.
        lengths: (batch,) samples that are the clip's own.
        rate_hz: Their rate.
        below_peak_db: Frames whose RMS lies further than this below the loudest frame's are silence.

    Returns:
        (batch,) first sample, and (batch,) the one after the last.
    """
    shortest, hop = round(SHORTEST_S * rate_hz), round(HOP_S * rate_hz)
    # At least one frame, whatever the batch holds. Means serve as sums do: only their ratio counts.
    energy = avg_pool1d(pad(audio, (0, shortest)).square()[:, None], hop, hop)[:, 0]  # (batch, blocks)
    frames = energy[:, :-1] + energy[:, 1:]
    place = torch.arange(frames.shape[1], device=audio.device)[None]
    last_frame = lengths[:, None] // hop - 2
    frames = torch.where(place <= last_frame, frames, -1.0)
    peak = frames.amax(dim=1, keepdim=True)
    loud = (frames >= peak * 10 ** (-below_peak_db / 10)) & (place <= last_frame)
    first = torch.where(loud, place, frames.shape[1]).amin(dim=1)
    last = torch.where(loud, place, -1).amax(dim=1)
    start, end = first * hop, torch.where(last == last_frame[:, 0], lengths, (last + 2) * hop)
    widened = torch.minimum(((start + end - shortest) // 2).clamp(min=0), lengths - shortest)
    narrow = end - start < shortest
    start, end = torch.where(narrow, widened, start), torch.where(narrow, widened + shortest, end)
    whole = (lengths <= shortest) | (peak[:, 0] <= 0)
    return torch.where(whole, 0, start), torch.where(whole, lengths, end)


def shifted(audio: Tensor, starts: Tensor, lengths: Tensor) -> Tensor:
    """Move each clip's span to the front.

    Args:
        audio: (batch, time).
        starts: (batch,) first sample that is kept.
        lengths: (batch,) how many are.

    Returns:
        (batch, time), zero after each span's end.
    """
    place = torch.arange(audio.shape[1], device=audio.device)[None]
    taken = torch.minimum(starts[:, None] + place, torch.full_like(place, audio.shape[1] - 1))
    return audio.gather(1, taken) * (place < lengths[:, None])


def front_end(audio: Tensor, lengths: Tensor, options: FrontEnd) -> tuple[Tensor, Tensor]:
    """Trim, scale and cut a batch as `FrontEnd` does a clip: (batch, time) and (batch,) to the same."""
    starts = torch.zeros_like(lengths)
    if options.trim_db is not None:
        starts, ends = loud_spans(audio, lengths, options.rate_hz, options.trim_db)
        audio, lengths = shifted(audio, starts, ends - starts), ends - starts
    if options.peak_normalise:
        peak = audio.abs().amax(dim=1, keepdim=True)
        audio = audio / torch.where(peak > 0, peak, 1.0)
    longest = round(options.max_s * options.rate_hz)
    kept = lengths.clamp(max=longest)
    return shifted(audio, (lengths - kept) // 2, kept), kept
