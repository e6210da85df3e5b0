"""Checks for leakage: pretrained weights that were trained on the corpus, and recordings in two parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lightning_emorec.audio import AudioStore, paths_of, with_audio
from lightning_emorec.errors import EmorecError
from lightning_emorec.splits import PARTS, Parts
from lightning_emorec.types import Clip

TRAINED_ON: dict[str, tuple[str, ...]] = {
    "Ravdess": (
        "ehcalabres/wav2vec2-lg-xlsr-en-speech-emotion-recognition",
        "Yassmen/Wav2Vec2_Fine_tuned_on_RAVDESS_2_Speech_Emotion_Recognition",
        "emotion2vec/emotion2vec_plus_seed",
        "emotion2vec/emotion2vec_plus_base",
        "emotion2vec/emotion2vec_plus_large",
    ),
    "Meld": (
        "j-hartmann/emotion-english-distilroberta-base",
        "j-hartmann/emotion-english-roberta-large",
        "emotion2vec/emotion2vec_plus_seed",
        "emotion2vec/emotion2vec_plus_base",
        "emotion2vec/emotion2vec_plus_large",
    ),
}
"""Corpus class -> pretrained models that were trained on it according to their authors (model cards; for emotion2vec+
the EmoBox collection, which contains both)."""


def known_training_overlap(model: Mapping[str, Any], corpus: Mapping[str, Any]) -> list[str]:
    """A sentence for each pretrained model in a config that is known to have been trained on its corpus.

    Args:
        model: `model` of a run's config, branches inlined.
        corpus: `data.corpus` of the same.
    """
    names = dict.fromkeys(text.rpartition(".")[2] for text in _texts(corpus))  # a corpus may hold others
    texts = {text.lower() for text in _texts(model)}
    return [
        f"{listed} was trained on {name}, test actors included: its scores here do not apply to unseen "
        "speakers"
        for name in names
        for listed in TRAINED_ON.get(name, ())
        if listed.lower() in texts
    ]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def refuse_shared_recordings(parts: Parts, audio: AudioStore) -> None:
    """Check that no file with the same content is in two parts."""
    part_of = {clip.id: part for part in PARTS for clip in getattr(parts, part)}
    audible = with_audio(parts.clips)
    first: dict[str, Clip] = {}  # digest -> the first clip that has it
    for clip, digest in zip(audible, audio.digests(paths_of(audible)), strict=True):
        other = first.setdefault(digest, clip)
        if part_of[other.id] != part_of[clip.id]:
            raise EmorecError(
                "every recording in one part only",
                f"the same bytes in {other.id} ({part_of[other.id]}, actor {other.actor}) and {clip.id} "
                f"({part_of[clip.id]}, actor {clip.actor})",
                "remove one of them, or name both actors in one part of data.split",
            )
