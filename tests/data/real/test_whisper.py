"""Real speech through the real transcription code; the checkpoint knows only the words of RAVDESS."""

from __future__ import annotations

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
]


@pytest.fixture(scope="module")
def weights(shared: Path) -> str:
    path = shared / "models" / "whisper" / "tiny.en-ravdess-words.pt"
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


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> AudioStore:
    return AudioStore(tmp_path_factory.mktemp("cache"), 16000)


@pytest.fixture(scope="module")
def heard(weights: str, clips: list[Clip], audio: AudioStore) -> list[str]:
    """What six clips say, heard at once."""
    return transcribe(weights, clips, audio, batch_clips=6)


def test_the_real_model_hears_the_sentence_that_the_file_name_tells(
    clips: list[Clip], heard: list[str]
) -> None:
    assert heard == [SENTENCES[clip.id.split("-")[4]] for clip in clips]


def test_a_clip_is_heard_alone_as_it_is_in_a_batch(
    weights: str, clips: list[Clip], audio: AudioStore, heard: list[str]
) -> None:
    assert transcribe(weights, clips, audio, batch_clips=1) == heard
