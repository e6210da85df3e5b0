"""Cutting audio to size. Padding is done where clips meet in a batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HOP_S = 0.010
SHORTEST_S = 0.1
"""Less than this is no speech: trimming widens what it keeps to it."""


def trim_silence(audio: NDArray[np.float32], rate_hz: int, below_peak_db: float) -> NDArray[np.float32]:
    """Cut both ends where every frame is much quieter than the loudest.

    Args:
        audio: (time,) samples.
        rate_hz: Their rate.
        below_peak_db: As `loud_span`.

    Returns:
        A view of `audio` of at least 0.1 s, or `audio` itself if it is shorter than that or all zeros.
    """
    start, end = loud_span(audio, rate_hz, below_peak_db)
    return audio[start:end] if end - start < len(audio) else audio


def loud_span(audio: NDArray[np.float32], rate_hz: int, below_peak_db: float) -> tuple[int, int]:
    """Where a clip is not silent: from the first loud frame to the last.

    As `librosa.effects.trim`, with frames of 20 ms every 10 ms, short enough for the onsets of speech.

    Args:
        audio: (time,) samples.
        rate_hz: Their rate.
        below_peak_db: Frames whose RMS lies further than this below the loudest frame's are silence.

    Returns:
        Its first sample and the one after its last, at least 0.1 s apart; all of `audio` if it is shorter than that
        or all zeros.
    """
    shortest = round(SHORTEST_S * rate_hz)
    if len(audio) <= shortest:
        return 0, len(audio)
    hop = round(HOP_S * rate_hz)
    blocks = audio[: len(audio) // hop * hop].reshape(-1, hop)  # (blocks, hop)
    energy = np.einsum("bh,bh->b", blocks, blocks)
    frames = energy[:-1] + energy[1:]  # a frame is two blocks
    if frames.max() <= 0:
        return 0, len(audio)
    loud = np.flatnonzero(frames >= frames.max() * 10 ** (-below_peak_db / 10))
    start, end = int(loud[0]) * hop, int(loud[-1] + 2) * hop
    if loud[-1] == len(frames) - 1:
        end = len(audio)  # with what fills no block
    if end - start < shortest:
        start = min(max(0, (start + end - shortest) // 2), len(audio) - shortest)
        end = start + shortest
    return start, end


def random_crop(
    audio: NDArray[np.float32], samples: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    """(samples,) of `audio` from a random start; all of it where it is no longer than that."""
    if len(audio) <= samples:
        return audio
    start = int(generator.integers(len(audio) - samples + 1))
    return audio[start : start + samples]


def center_crop(audio: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    """(samples,) from the middle of `audio`; all of it where it is no longer than that."""
    start = max(0, (len(audio) - samples) // 2)
    return audio[start : start + samples]
