"""A recording as it looks: its waveform and its log-mel spectrogram, from one reading of the file."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from librosa.filters import mel
from matplotlib.image import imsave
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from lightning_emorec.audio import mono_blocks, open_recording
from lightning_emorec.errors import EmorecError

RATE_HZ, HOP, WINDOW, BANDS = 16_000, 320, 512, 64
RANGE_DB = 70.0
COLUMNS = 600
"""Most columns of a drawing; with more, neighbours are put together."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Overview:
    """A recording in steps of 20 ms.

    Attributes:
        duration: Length in s.
        extremes: (steps, 2) lowest and highest sample of each step, -1 to 1.
        levels: (steps, BANDS) log-mel in dB, low bands first.
    """

    duration: float
    extremes: Floats
    levels: Floats

    def waveform(self, start: float, end: float) -> str:
        """Path of an SVG for a span in s: x from 0 to 1000, y from -1 (full scale up) to 1."""
        part = self.extremes[self._steps(start, end)]
        scale = max(float(np.abs(self.extremes).max(initial=0)), 1e-3)
        edges = _edges(len(part))
        low = np.minimum.reduceat(part[:, 0], edges) / scale
        high = np.maximum.reduceat(part[:, 1], edges) / scale
        x = np.linspace(0, 1000 * self._share(start, end), len(edges))
        there = [f"{at:.1f} {-value:.3f}" for at, value in zip(x, high, strict=True)]
        back = [f"{at:.1f} {-value:.3f}" for at, value in zip(x[::-1], low[::-1], strict=True)]
        return f"M{'L'.join(there + back)}Z"

    def spectrogram(self, start: float, end: float) -> str:
        """Address of a PNG of a span in s, which holds the picture itself."""
        part = self.levels[self._steps(start, end)]
        edges = _edges(len(part))
        pooled = np.add.reduceat(part, edges) / np.diff([*edges, len(part)])[:, None]
        top = float(self.levels.max())
        file = BytesIO()
        imsave(file, pooled.T, cmap="magma", vmin=top - RANGE_DB, vmax=top, origin="lower", format="png")
        return f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"

    def _steps(self, start: float, end: float) -> slice:
        first = min(int(start * RATE_HZ / HOP), len(self.levels) - 1)
        return slice(first, max(first + 1, round(end * RATE_HZ / HOP)))

    def _share(self, start: float, end: float) -> float:
        return min(1.0, (self.duration - start) / (end - start))


def look_at(path: Path, most_s: float) -> Overview:
    """Read a recording.

    Raises:
        EmorecError: It cannot be read, or is longer than `most_s`.
    """
    filters = mel(sr=RATE_HZ, n_fft=WINDOW, n_mels=BANDS)
    extremes: list[Floats] = []
    levels: list[Floats] = []
    rest: Floats = np.empty(0, np.float32)
    length = 0
    with open_recording(path, name=path.name) as recording:
        for block in mono_blocks(recording, RATE_HZ):
            length += len(block)
            if length > most_s * RATE_HZ:
                fix = "cut it, or start the page with a larger --max_minutes"
                raise EmorecError(f"at most {most_s / 60:g} minutes", f"more in {path.name}", fix)
            steps, rest = _cut(np.concatenate([rest, block]))
            extremes.append(steps[0])
            levels.append(_log_mel(steps[1], filters))
        steps, _ = _cut(np.pad(rest, (0, WINDOW + HOP - len(rest) % HOP)))
        extremes.append(steps[0])
        levels.append(_log_mel(steps[1], filters))
    count = -(-length // HOP)
    return Overview(length / RATE_HZ, np.concatenate(extremes)[:count], np.concatenate(levels)[:count])


def _cut(samples: Floats) -> tuple[tuple[Floats, Floats], Floats]:
    """((steps, 2) extremes and (steps, WINDOW) windows, one each HOP), and the samples of the next step on."""
    if len(samples) < WINDOW:
        return (np.empty((0, 2), np.float32), np.empty((0, WINDOW), np.float32)), samples
    windows = sliding_window_view(samples, WINDOW)[::HOP]
    hops = windows[:, :HOP]
    extremes = np.stack([hops.min(axis=1), hops.max(axis=1)], axis=1)
    return (extremes, windows), samples[len(windows) * HOP :]


def _log_mel(windows: Floats, filters: Floats) -> Floats:
    power = np.abs(np.fft.rfft(windows * np.hanning(WINDOW).astype(np.float32))) ** 2
    return np.asarray(10 * np.log10(power @ filters.T + 1e-8), np.float32)


def _edges(steps: int) -> NDArray[np.int64]:
    """First step of each column of a drawing."""
    return np.unique(np.linspace(0, steps, min(steps, COLUMNS), endpoint=False).astype(np.int64))
