"""From a recording to mono at one rate, and what was done to it on the way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from lightning_emorec.audio.reader import BLOCK_S, Recording, open_recording
from lightning_emorec.audio.shape import SHORTEST_S
from lightning_emorec.errors import EmorecError

logger = logging.getLogger(__name__)

LOWEST_RATE_HZ = 8_000
"""Telephone speech; below it most of what distinguishes emotions is gone."""

SILENCE_PEAK = 2.0**-15
"""Nothing above the least bit of 16-bit audio is silence."""

FULL_SCALE = 1 - 2.0**-15
"""The largest sample of 16-bit audio."""


@dataclass(frozen=True)
class Note:
    """What was found in a recording and done to it.

    Attributes:
        seconds: Its length.
        channels: How many it has.
        mixed: What became of several; empty for mono.
        level_db: Level of what was kept against that of the loudest channel.
        clipped: Share of samples at full scale that follow another one there.
        peak: Largest magnitude of the result.
    """

    seconds: float
    channels: int
    mixed: str
    level_db: float
    clipped: float
    peak: float

    @property
    def silent(self) -> bool:
        """Whether nothing in it is above the least bit."""
        return self.peak <= SILENCE_PEAK

    @property
    def short(self) -> bool:
        """Whether it is shorter than any speech."""
        return self.seconds < SHORTEST_S


class MonoReader:
    """Reads a recording as mono at one rate, and notes what it finds.

    Args:
        recording: What to read.
        rate_hz: Rate of the result.

    Raises:
        EmorecError: A rate below 8 kHz.
    """

    def __init__(self, recording: Recording, rate_hz: int) -> None:
        check_rate(rate_hz, "the rate asked for")
        check_rate(recording.rate_hz, recording.name)
        self._recording = recording
        self._rate_hz = rate_hz
        self._read = self._clipped = 0
        self._peak = 0.0

    def blocks(self, seconds: float = BLOCK_S) -> Iterator[NDArray[np.float32]]:
        """(time,) samples from start to end, in blocks of about that length: the same, bit for bit, whatever it is.

        Resampling is soxr's: flat up to 0.45 of the lower rate and aliases 120 dB down at any ratio of rates, in less
        than half the time of torchaudio's and SciPy's default filters, which are already 2.4 and 0.7 dB down there.

        Raises:
            EmorecError: As `Recording.mix` and `Recording.blocks`; NaN or infinite samples; no samples at all.
        """
        recording = self._recording
        same = recording.rate_hz == self._rate_hz
        stream = None if same else soxr.ResampleStream(recording.rate_hz, self._rate_hz, 1, dtype="float32")
        self._read = self._clipped = 0
        self._peak = 0.0
        for block in recording.blocks(seconds):
            mono = self._checked(block)
            yield from self._measured(mono if stream is None else stream.resample_chunk(mono))
        if stream is not None:
            yield from self._measured(stream.resample_chunk(np.zeros(0, np.float32), last=True))
        if self._read == 0:
            raise EmorecError("audio", f"no samples in {recording.name}", "restore the file or remove it")

    def note(self) -> Note:
        """What was found in the blocks that have been read."""
        recording, read = self._recording, max(1, self._read)
        seconds = self._read / recording.rate_hz
        mix = recording.mix
        return Note(seconds, recording.channels, mix.done, mix.level_db, self._clipped / read, self._peak)

    def _checked(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """(time,) samples of a (time, channels) block, all of them finite."""
        mono = self._recording.mix(block)
        if bad := int(np.count_nonzero(~np.isfinite(mono))):
            raise EmorecError(
                "finite samples",
                f"{bad} that are NaN or infinite in {self._recording.name}, "
                f"in the block from {self._read / self._recording.rate_hz:.1f} s on",
                "export the file anew or remove it",
            )
        kept = self._recording.mix.kept
        loudest = mono if len(kept) == 1 else np.abs(block[:, kept]).max(axis=1)
        full = np.abs(loudest) >= FULL_SCALE
        self._clipped += int(np.count_nonzero(full[1:] & full[:-1]))
        self._read += len(mono)
        return mono

    def _measured(self, audio: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        if len(audio):
            self._peak = max(self._peak, float(np.abs(audio).max()))
            yield audio


def mono_blocks(
    recording: Recording, rate_hz: int, seconds: float = BLOCK_S
) -> Iterator[NDArray[np.float32]]:
    """(time,) blocks of a recording at `rate_hz`: see `MonoReader.blocks`."""
    return MonoReader(recording, rate_hz).blocks(seconds)


def decode(path: Path, rate_hz: int, channel: int | None = None) -> NDArray[np.float32]:
    """Read an audio file as mono at one rate; memory follows the result, not what the file holds.

    Args:
        path: Any file that `open_recording` reads.
        rate_hz: Rate of the result.
        channel: The channel to take, from 0; None leaves the choice to the rule of `choose_channels`.

    Returns:
        (time,) samples; within -1..1 unless the file holds floats beyond it.

    Raises:
        EmorecError: Not there, not audio, truncated, empty, NaN or infinite samples, a rate below 8 kHz, channels
            that cancel each other, or no such channel.
    """
    return decode_and_note(path, rate_hz, channel)[0]


def decode_and_note(path: Path, rate_hz: int, channel: int | None = None) -> tuple[NDArray[np.float32], Note]:
    """As `decode`, and what was found in the file and done to it."""
    with open_recording(path, channel) as recording:
        reader = MonoReader(recording, rate_hz)
        kept = bytearray()  # grows in place; joining blocks would hold them twice
        for block in reader.blocks():
            kept += block.data.cast("B")
    if not kept:
        found = f"{recording.name}, which is shorter than one sample at {rate_hz} Hz"
        raise EmorecError("audio", found, "remove the file")
    note = reader.note()
    warn_if_silent(path, note.peak)
    return np.frombuffer(kept, np.float32), note


def check_rate(rate_hz: int, whose: str) -> None:
    """Refuse a rate that is too low for speech.

    Raises:
        EmorecError: The rate is below 8 kHz.
    """
    if rate_hz < LOWEST_RATE_HZ:
        raise EmorecError(
            f"a rate of at least {LOWEST_RATE_HZ} Hz",
            f"{rate_hz} Hz ({whose})",
            "use a recording or a setting of 8000 Hz or more (16000 is usual)",
        )


def warn_if_silent(path: Path, peak: float) -> None:
    """Log that a file is silence: an array all the same, but hardly what anyone meant to train on."""
    if peak <= SILENCE_PEAK:
        logger.warning("%s is silent throughout: check the recording", path)
