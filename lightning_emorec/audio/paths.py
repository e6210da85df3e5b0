"""The audio files of clips that must be heard."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lightning_emorec.errors import UnavailableError
from lightning_emorec.types import Clip


def with_audio(clips: Iterable[Clip]) -> list[Clip]:
    """Those that can be heard, in order."""
    return [clip for clip in clips if clip.path is not None]


def paths_of(clips: Iterable[Clip]) -> list[Path]:
    """The audio file of each clip, in order.

    Raises:
        UnavailableError: Some clips have none, as in a corpus of text.
    """
    listed = list(clips)
    paths = [clip.path for clip in listed if clip.path is not None]
    if len(paths) < len(listed):
        silent = [clip.id for clip in listed if clip.path is None]
        some = f"none for {len(silent)} of {len(listed)} clips, e.g. {silent[0]}"
        raise UnavailableError(
            "audio for every clip",
            some if paths else "the corpus has no audio",
            "give the corpus its audio, or leave out what hears it (a text branch: transcript reference or file)",
        )
    return paths
