"""Real speech through the real Whisper tiny.en, with the errors that it really makes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from lightning_emorec.audio import AudioStore
from lightning_emorec.features import WhisperTranscript
from lightning_emorec.types import Clip

SENTENCES = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
NAMES = [
    "Actor_02/03-01-01-01-01-01-02",
    "Actor_02/03-01-05-02-02-01-02",
    "Actor_11/03-01-06-01-02-02-11",
    "Actor_12/03-01-03-02-01-02-12",
    "Actor_23/03-01-04-02-02-01-23",
    "Actor_24/03-01-08-01-01-01-24",
    "Actor_15/03-01-04-01-02-02-15",
    "Actor_18/03-01-03-02-02-01-18",
    "Actor_05/03-01-04-02-01-02-05",
    "Actor_24/03-01-04-02-02-01-24",
]
MOST_WRONG = 0.1
"""Share of words; of these clips 3 in 60 are wrong, in the last ones."""


@pytest.fixture(scope="module")
def weights(shared: Path) -> str:
    path = shared / "models" / "whisper" / "tiny.en.pt"
    if not path.is_file():
        pytest.skip(f"real Whisper weights are not here: no file {path}")
    return str(path)


@pytest.fixture(scope="module")
def clips(shared: Path) -> list[Clip]:
    root = shared / "data" / "ravdess16k"
    return [Clip(name, actor=name[6:8], path=root / f"{name}.flac") for name in NAMES]


def transcribe(weights: str, clips: Sequence[Clip], audio: AudioStore, batch_clips: int) -> list[str]:
    feature = WhisperTranscript(weights, batch_clips=batch_clips)
    return feature.collate(list(feature.compute(clips, audio)))


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def wrong_words(said: str, heard: str) -> int:
    """Substitutions, deletions and insertions that make one text the other (Levenshtein's distance of words)."""
    expected, row = words(said), list(range(len(words(heard)) + 1))
    for place, word in enumerate(expected, start=1):
        above, row = row, [place]
        for column, other in enumerate(words(heard), start=1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (word != other)))
    return row[-1]


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> AudioStore:
    return AudioStore(tmp_path_factory.mktemp("cache"), 16000)


@pytest.fixture(scope="module")
def heard(weights: str, clips: list[Clip], audio: AudioStore) -> list[str]:
    """What the clips say, heard at once."""
    return transcribe(weights, clips, audio, batch_clips=len(clips))


def test_wrong_words_are_counted() -> None:
    assert wrong_words("Dogs are sitting", "Dogs are sitting.") == 0
    assert wrong_words("Dogs are sitting", "The dog's sitting") == 2
    assert wrong_words("Dogs are sitting", "") == 3


def test_the_real_model_hears_most_words_of_the_sentence_that_the_file_name_tells(
    clips: list[Clip], heard: list[str]
) -> None:
    said = [SENTENCES[clip.id.split("-")[4]] for clip in clips]
    wrong = sum(map(wrong_words, said, heard))
    assert 0 < wrong / sum(len(words(text)) for text in said) <= MOST_WRONG, heard


def test_a_clip_is_heard_alone_as_it_is_in_a_batch(
    weights: str, clips: list[Clip], audio: AudioStore, heard: list[str]
) -> None:
    assert transcribe(weights, clips, audio, batch_clips=1) == heard
