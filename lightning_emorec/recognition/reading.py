"""A recording opened for reading, and its samples."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np

from lightning_emorec.audio import Recording, decode, mono_blocks, open_recording
from lightning_emorec.recognition.model import Waveform
from lightning_emorec.recognition.sources import Source, duration_of
from lightning_emorec.recognition.speech import RATE_HZ

LONGEST_KEPT_S = 2 * 3600
"""Recordings up to this length are kept in memory while stretches of them are judged: 64 kB a second."""


@contextmanager
def opened(source: Source, channel: int | None) -> Iterator[Recording]:
    """A source's recording, from its start; a file in memory may be opened several times."""
    assert not isinstance(source.audio, np.ndarray)
    start = 0 if isinstance(source.audio, Path) or not source.audio.seekable() else source.audio.tell()
    with open_recording(source.audio, channel, source.name or None) as recording:
        yield recording
    if not isinstance(source.audio, Path) and source.audio.seekable():
        source.audio.seek(start)


def blocks_of(source: Source, recording: Recording) -> Iterator[Waveform]:
    """(time,) blocks at 16 kHz. Many stretches of one file are cut from one decoding of it."""
    path = source.audio
    if (source.start is None and source.end is None) or not isinstance(path, Path):
        return mono_blocks(recording, RATE_HZ)
    length = duration_of(Source(source.name, path))
    if length is None or length > LONGEST_KEPT_S:
        return mono_blocks(recording, RATE_HZ)
    return iter([_decoded(path, path.stat().st_mtime_ns, recording.channel)])


@lru_cache(maxsize=1)
def _decoded(path: Path, mtime_ns: int, channel: int | None) -> Waveform:  # noqa: ARG001 - the time is part of the key
    return decode(path, RATE_HZ, channel)
