"""Clips with audio, where it is, and what to report of clips whose files cannot be used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from lightning_emorec.audio.stretch import FileOrStretch, Stretch
from lightning_emorec.errors import UnavailableError

if TYPE_CHECKING:
    from lightning_emorec.types import Clip  # its module takes torch along

MOST_NAMED = 3
"""Clips that a warning names."""


def with_audio(clips: Iterable[Clip]) -> list[Clip]:
    """The clips with an audio file, in order."""
    return [clip for clip in clips if clip.path is not None]


def sound_of(clip: Clip) -> FileOrStretch | None:
    """What an `AudioStore` knows a clip's audio by: its file, or a stretch of it; None where it has no audio."""
    if clip.path is None or (not clip.start and clip.end is None):
        return clip.path
    return Stretch(clip.path, clip.start or 0.0, clip.end)


def sounds_of(clips: Iterable[Clip]) -> list[FileOrStretch]:
    """The audio of each clip, in order.

    Raises:
        UnavailableError: Some clips have none, as in a corpus of text.
    """
    listed = list(clips)
    sounds = [sound for clip in listed if (sound := sound_of(clip)) is not None]
    if len(sounds) < len(listed):
        without = [clip.id for clip in listed if clip.path is None]
        some = f"none for {len(without)} of {len(listed)} clips, e.g. {without[0]}"
        raise UnavailableError(
            "audio for every clip",
            some if sounds else "the corpus has no audio",
            "give the corpus its audio, or leave out what needs it (in a text branch, set transcript)",
        )
    return sounds


def tell_skipped(skipped: Mapping[str, str]) -> list[str]:
    """What a reader of the figures must know; nothing if no clip is left out.

    Args:
        skipped: Clip id -> what is wrong with its audio.
    """
    if not skipped:
        return []
    named = [f"{clip} ({reason})" for clip, reason in skipped.items()][:MOST_NAMED]
    more = f" and {len(skipped) - MOST_NAMED} more" if len(skipped) > MOST_NAMED else ""
    return [f"clips left out because their audio cannot be used: {len(skipped)}: {'; '.join(named)}{more}"]
