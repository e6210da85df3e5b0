"""One decoded clip on disk: a header of 32 bytes, then 16-bit samples.

Samples are stored relative to the clip's peak, so that nothing clips and a quiet recording keeps its
resolution: the error is at most half of 1/32767 of the peak.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.atomic_write import whole_file
from lightning_emorec.audio.stretch import Stretch

FIELDS = struct.Struct("<4sHxxIQd")
"""Magic, version, rate in Hz, number of samples, scale that turns a stored sample into a real one."""

CHECKSUM = struct.Struct("<I")
"""CRC-32 of the fields and the samples; it follows the fields."""

HEADER_BYTES = FIELDS.size + CHECKSUM.size
MAGIC = b"EMOA"
VERSION = 1
LARGEST = 32767
SAMPLE_BYTES = 2

AT_ONCE = 1 << 20
"""Samples that are rounded at once, for eight bytes each."""


class DamagedEntryError(Exception):
    """A file that is not a whole entry of this version and rate."""


def as_stored(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """(time,) samples rounded as an entry rounds them: bit for bit what `read_entry` gives back."""
    return _restored(*_rounded(audio))


def write_entry(path: Path, audio: NDArray[np.float32], rate_hz: int) -> None:
    """Write (time,) samples, as a whole or not at all; the folder is made too.

    Raises:
        OSError: The folder cannot be written or the disk is full; nothing remains.
    """
    stored, scale = _rounded(audio)
    body = stored.data.cast("B")
    fields = FIELDS.pack(MAGIC, VERSION, rate_hz, len(audio), scale)
    checksum = CHECKSUM.pack(zlib.crc32(body, zlib.crc32(fields)))
    with whole_file(path) as file:
        file.write(fields + checksum)
        file.write(body)


def read_entry(
    path: Path, rate_hz: int, stretch: Stretch | None = None, checksum: bool = True
) -> NDArray[np.float32]:
    """(time,) samples of an entry or of a stretch of it.

    Args:
        path: The entry.
        rate_hz: Its rate.
        stretch: None means all of it.
        checksum: Compare the checksum, which reads every byte; otherwise header and size are checked.

    Raises:
        FileNotFoundError: There is no such entry.
        DamagedEntryError: It is not whole.
        EmorecError: The stretch is not within it.
    """
    with path.open("rb") as file, _mapped(file.fileno()) as data:
        scale = _check_header(data, rate_hz)
        if checksum:
            _check_sum(path, data)
        length = (len(data) - HEADER_BYTES) // SAMPLE_BYTES
        first, last = (0, length) if stretch is None else stretch.cut(length, rate_hz)
        samples = np.frombuffer(data, "<i2", last - first, HEADER_BYTES + SAMPLE_BYTES * first)
        audio = _restored(samples, scale)
        del samples  # a view of the mapping, which could not be closed under it
    return audio


def entry_samples(path: Path) -> int:
    """How many samples an entry holds that is known to be whole."""
    return (path.stat().st_size - HEADER_BYTES) // SAMPLE_BYTES


def entry_peak(path: Path, rate_hz: int) -> float:
    """Largest magnitude in an entry, checked as far as header and size go.

    Raises:
        FileNotFoundError: There is no such entry.
        DamagedEntryError: It is not whole.
    """
    with path.open("rb") as file, _mapped(file.fileno()) as data:
        return _check_header(data, rate_hz) * LARGEST


def _check_sum(path: Path, data: mmap.mmap) -> None:
    (expected,) = CHECKSUM.unpack_from(data, FIELDS.size)
    with memoryview(data) as view, view[HEADER_BYTES:] as body:
        found = zlib.crc32(body, zlib.crc32(view[: FIELDS.size]))
    if found != expected:
        raise DamagedEntryError(f"{path}: wrong checksum")


def _rounded(audio: NDArray[np.float32]) -> tuple[NDArray[np.int16], float]:
    """Samples as they are stored, and the scale that turns them into real ones."""
    scale = float(max(audio.max(), -audio.min())) / LARGEST
    stored = np.zeros(len(audio), "<i2")
    for start in range(0, len(audio) if scale > 0 else 0, AT_ONCE):
        # In float64, because dividing a very quiet clip in float32 would overflow the 16 bits.
        exact = audio[start : start + AT_ONCE].astype(np.float64)
        stored[start : start + AT_ONCE] = np.round(exact / scale)
    return stored, scale


def _restored(stored: NDArray[np.int16], scale: float) -> NDArray[np.float32]:
    restored: NDArray[np.float32] = np.multiply(stored, np.float32(scale), dtype=np.float32)
    return restored


def _mapped(descriptor: int) -> mmap.mmap:
    """The file in memory, shared through the page cache by all processes that read it."""
    try:
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    except ValueError as error:  # an empty file cannot be mapped
        raise DamagedEntryError("empty") from error


def _check_header(data: mmap.mmap, rate_hz: int) -> float:
    """The scale of a whole entry of this version and rate."""
    if len(data) < HEADER_BYTES:
        raise DamagedEntryError("no whole header")
    magic, version, found_hz, samples, scale = FIELDS.unpack_from(data)
    if (magic, version, found_hz) != (MAGIC, VERSION, rate_hz):
        raise DamagedEntryError(f"header of another kind: {(magic, version, found_hz)}")
    if len(data) != HEADER_BYTES + SAMPLE_BYTES * samples:
        raise DamagedEntryError(f"{len(data)} bytes for {samples} samples")
    return float(scale)
