"""Refuses what would make a run's figures look better than they are."""

from __future__ import annotations

from lightning_emorec.audio import AudioStore, paths_of, with_audio
from lightning_emorec.splits import Parts
from lightning_emorec.types import Clip, EmorecError, Part


def refuse_shared_recordings(parts: Parts, audio: AudioStore) -> None:
    """Look for files with the same content in two parts: heard in training, such a clip tests nothing.

    Raises:
        EmorecError: There is one.
    """
    where: dict[str, tuple[Part, Clip]] = {}
    listed: list[tuple[Part, list[Clip]]] = [("train", parts.train), ("val", parts.val), ("test", parts.test)]
    for part, clips in listed:
        heard = with_audio(clips)
        for clip, digest in zip(heard, audio.digests(paths_of(heard)), strict=True):
            other_part, other = where.setdefault(digest, (part, clip))
            if other_part != part:
                raise EmorecError(
                    "every recording in one part only",
                    f"the same bytes in {other.id} ({other_part}, actor {other.actor}) and {clip.id} "
                    f"({part}, actor {clip.actor})",
                    "remove one of them, or name both actors in one part of data.split",
                )
