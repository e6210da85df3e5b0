"""Checks for leakage: pretrained weights that were trained on the corpus, and recordings in two parts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lightning_emorec.audio import AudioStore, file_of, sounds_of, with_audio
from lightning_emorec.errors import EmorecError
from lightning_emorec.runs.pretraining import config_texts, pretrained_parts
from lightning_emorec.splits import PARTS, Parts
from lightning_emorec.types import Clip


def known_training_overlap(model: Mapping[str, Any], corpus: Mapping[str, Any]) -> list[str]:
    """A sentence for each pretrained model in a config that is known to have been trained on its corpus.

    Args:
        model: `model` of a run's config, branches inlined.
        corpus: `data.corpus` of the same.
    """
    names = dict.fromkeys(
        text.rpartition(".")[2] for text in config_texts(corpus)
    )  # a corpus may hold others
    parts = pretrained_parts(model)
    return [
        f"{given} was trained on {name}, test actors included: its scores here do not apply to unseen speakers"
        for name in names
        for given, part in parts.items()
        if name in part.corpora
    ]


def refuse_shared_recordings(parts: Parts, audio: AudioStore) -> None:
    """Look for the same audio in two parts: a clip seen in training tests nothing.

    That is a file with the same content, or segments of one that share more than half of the shorter; people who
    interrupt each other share less.

    Raises:
        EmorecError: There is one.
    """
    part_of = {clip.id: part for part in PARTS for clip in getattr(parts, part)}
    audible = with_audio(parts.clips)
    files = audio.digests([file_of(sound) for sound in sounds_of(audible)])
    clips_of: dict[str, list[Clip]] = {}  # digest of a file -> its clips
    for clip, digest in zip(audible, files, strict=True):
        clips_of.setdefault(digest, []).append(clip)
    for clips in clips_of.values():
        if len({part_of[clip.id] for clip in clips}) == 1:
            continue
        for clip, other in _overlapping(clips):
            if part_of[other.id] != part_of[clip.id]:
                raise EmorecError(
                    "every recording in one part only",
                    f"the same audio in {other.id} ({part_of[other.id]}, actor {other.actor}) and {clip.id} "
                    f"({part_of[clip.id]}, actor {clip.actor})",
                    "remove one of them, or name both actors in one part of data.split",
                )


def _overlapping(clips: Sequence[Clip]) -> Iterator[tuple[Clip, Clip]]:
    """Pairs of clips of one file that share more than half of the shorter, the later of each first.

    An end that is not known is taken for infinitely late, so that such a clip shares all of what starts after it.
    """
    begun: list[tuple[float, float, Clip]] = []
    for clip in sorted(clips, key=lambda one: one.start or 0.0):
        start, end = clip.start or 0.0, math.inf if clip.end is None else clip.end
        begun = [one for one in begun if one[1] > start]
        for of_start, of_end, other in begun:
            if (
                2 * (min(end, of_end) - start) > min(end - start, of_end - of_start)
                or end == of_end == math.inf
            ):
                yield clip, other
        begun.append((start, end, clip))
