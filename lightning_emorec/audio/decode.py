"""Reading, checking and resampling one file."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from lightning_emorec.errors import EmorecError

logger = logging.getLogger(__name__)

LOWEST_RATE_HZ = 8_000
"""Telephone speech; below it most of what distinguishes emotions is gone."""

SILENCE_PEAK = 2.0**-15
"""Nothing above the least bit of 16-bit audio is silence."""

TOLERATED_LOSS_S = 0.1
"""What a header may promise too much: some writers count it in, and an MP3's length is an estimate."""

UNKNOWN_LENGTH_BYTES = 0x7FFF_F000
"""Programs that write WAV to a pipe cannot know its length, and put a number from here up."""

SHORTENED_CHUNK = re.compile(r"(?:data|Data Size)\s*: (\d+) \(should be (\d+)\)")
"""How libsndfile logs a WAV or AU file cut short. Its count of frames is corrected already, and of no use."""


def decode(path: Path, rate_hz: int) -> NDArray[np.float32]:
    """Read an audio file as mono at one rate.

    Channels are averaged. Resampling is soxr's: flat up to 0.45 of the lower rate and aliases 120 dB down at
    any ratio of rates, in less than half the time of torchaudio's and SciPy's default filters, which are
    already 2.4 and 0.7 dB down there.

    Args:
        path: Any file that libsndfile reads: WAV, FLAC, Ogg, MP3, AIFF, ...
        rate_hz: Rate of the result.

    Returns:
        (time,) samples; within -1..1 unless the file holds floats beyond it.

    Raises:
        EmorecError: Not there, not audio, truncated, empty, NaN or infinite samples, or a rate below 8 kHz.
    """
    check_rate(rate_hz, "the rate asked for")
    samples, file_rate_hz = _read(path)  # (time, channels)
    check_rate(file_rate_hz, str(path))
    audio = samples.mean(axis=1)  # (time,)
    if not np.isfinite(audio).all():
        bad = int(np.count_nonzero(~np.isfinite(audio)))
        raise EmorecError(
            "finite samples", f"{bad} that are NaN or infinite in {path}", "export the file anew or remove it"
        )
    if file_rate_hz != rate_hz:
        audio = soxr.resample(audio, file_rate_hz, rate_hz)
    if audio.size == 0:
        raise EmorecError("audio", f"no samples in {path}", "restore the file or remove it")
    peak = float(np.abs(audio).max())
    warn_if_silent(path, peak)
    return np.asarray(audio, dtype=np.float32)


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


def _read(path: Path) -> tuple[NDArray[np.float32], int]:
    """The samples (time, channels) of a whole, readable file, and its rate."""
    try:
        if not path.is_file():
            raise EmorecError("an audio file", f"no file {path}", "restore it or correct the path")
        if path.stat().st_size == 0:
            raise EmorecError("an audio file", f"an empty file {path}", "restore it or remove it")
        with soundfile.SoundFile(path) as file:
            samples: NDArray[np.float32] = file.read(dtype="float32", always_2d=True)
            promised, rate_hz = _promised_frames(file), int(file.samplerate)
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        # TypeError: soundfile takes a file named *.raw for one without a header.
        reason = str(getattr(error, "error_string", error)).removeprefix("Error : ").rstrip(".")
        raise EmorecError(
            "a WAV, FLAC, Ogg or MP3 file",
            f"{path} cannot be read ({reason})",
            "restore or convert it, or remove it",
        ) from error
    if promised - len(samples) > TOLERATED_LOSS_S * rate_hz:
        raise EmorecError(
            f"{promised} frames as the header says",
            f"{len(samples)} in {path}: truncated",
            "restore the file or remove it",
        )
    return samples, rate_hz


def _promised_frames(file: soundfile.SoundFile) -> int:
    """The number of frames in the header."""
    shortened = SHORTENED_CHUNK.search(file.extra_info)
    if shortened is None:
        return int(file.frames)
    promised_bytes, present_bytes = (int(number) for number in shortened.groups())
    if promised_bytes >= UNKNOWN_LENGTH_BYTES or present_bytes == 0:
        return int(file.frames)
    return int(file.frames) * promised_bytes // present_bytes
