"""Recordings that the tests make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

RATE_HZ = 48_000


def voice(seconds: float = 2.0, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    """(time,) a tone that swells, as a stand-in for speech."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    swell = 1 + 0.5 * np.sin(2 * np.pi * 3 * time)
    return (0.3 * np.sin(2 * np.pi * 220 * time) * swell).astype(np.float32)


def write_media(path: Path, audio: NDArray[np.float32], codec: str, rate_hz: int = RATE_HZ) -> Path:
    """Write (time, channels) audio by PyAV, in the container that the name asks for."""
    av = pytest.importorskip("av", reason="PyAV is not installed (extra media)")
    layout = "mono" if audio.shape[1] == 1 else "stereo"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        whole = av.AudioFrame.from_ndarray(np.ascontiguousarray(audio.T), format="fltp", layout=layout)
        whole.sample_rate = rate_hz
        planes = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=rate_hz)
        queue = av.AudioFifo()
        for frame in planes.resample(whole):
            queue.write(frame)
        while frame := queue.read(stream.codec_context.frame_size or 1024, partial=True):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
