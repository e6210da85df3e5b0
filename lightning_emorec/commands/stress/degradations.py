"""The conditions of `stress`: name, severities and function of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from lightning_emorec.commands.stress.distortions import (
    TELEPHONE_RATE_HZ,
    add_babble,
    add_reverberation,
    add_white_noise,
    as_mp3,
    by_telephone,
    change_level,
    clip_peaks,
    truncate,
)
from lightning_emorec.commands.stress.recording import Recording, Sound
from lightning_emorec.errors import EmorecError

SNRS_DB = (30.0, 20.0, 15.0, 10.0, 5.0, 0.0, -5.0)

MISSING = "missing"
"""The condition without audio or without text; the other conditions degrade audio."""


@dataclass(frozen=True)
class Degradation:
    """One kind of degradation of audio.

    Silence stays silence, and the result is finite, for audio of any length.

    Attributes:
        name: Name in files and on the command line.
        title: Title in reports.
        unit: Unit of the severities.
        severities: In increasing order of severity.
        apply: From a recording and a severity to (time',) samples at the recording's rate.
    """

    name: str
    title: str
    unit: str
    severities: tuple[float, ...]
    apply: Callable[[Recording, float], Sound]


DEGRADATIONS: dict[str, Degradation] = {
    made.name: made
    for made in (
        Degradation("white", "White noise", "dB SNR", SNRS_DB, add_white_noise),
        Degradation("babble", "Other voices (babble)", "dB SNR", SNRS_DB, add_babble),
        Degradation("reverberation", "Reverberation", "s RT60", (0.3, 0.6, 1.0), add_reverberation),
        Degradation(
            "telephone", "Telephone band, 300-3400 Hz", "kHz", (TELEPHONE_RATE_HZ / 1000,), by_telephone
        ),
        Degradation("mp3", "MP3", "kbit/s", (64.0, 32.0, 16.0, 8.0), as_mp3),
        Degradation("clipping", "Clipping", "% of samples", (2.0, 10.0, 20.0, 40.0), clip_peaks),
        Degradation("quieter", "Quieter", "dB", (-6.0, -12.0, -20.0, -30.0), change_level),
        Degradation("louder", "Louder", "dB", (6.0, 12.0, 20.0, 30.0), change_level),
        Degradation(
            "truncation", "Only the first seconds of speech", "s", (2.0, 1.5, 1.0, 0.5, 0.25), truncate
        ),
    )
}

CONDITIONS = (*DEGRADATIONS, MISSING)


def check_conditions(names: Sequence[str], conditions: Collection[str] = CONDITIONS) -> None:
    """Check that there is at least one name, and that each is a condition."""
    if unknown := [name for name in names if name not in conditions]:
        known = f"conditions among {', '.join(conditions)}"
        raise EmorecError(known, ", ".join(unknown), "correct --conditions")
    if not names:
        raise EmorecError("at least one condition", "none", "set --conditions, or leave it out for all")
