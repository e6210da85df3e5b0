"""What every feature does, in one body over what the package exports."""

from __future__ import annotations

import csv
import inspect
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import lightning_emorec.features as features
from lightning_emorec.audio import AudioStore
from lightning_emorec.features import Feature, FeatureCache, FeatureReader, Value
from lightning_emorec.types import Clip
from tests.tiny_whisper import save_whisper


def reference(folder: Path) -> Feature:
    return features.ReferenceTranscript()


def transcript_file(folder: Path) -> Feature:
    path = folder / "transcripts.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [("clip", "text"), *((f"clip{number}", f"text {number}") for number in range(5))]
        )
    return features.TranscriptFile(str(path))


def vader_scores(folder: Path) -> Feature:
    return features.VaderScores(features.ReferenceTranscript())


def whisper_transcript(folder: Path) -> Feature:
    return features.WhisperTranscript(str(save_whisper(folder / "tiny.pt")), batch_clips=3)


def whisper_statistics(folder: Path) -> Feature:
    return features.WhisperStateStatistics(str(save_whisper(folder / "tiny.pt")), views=3)


def whisper_frames(folder: Path) -> Feature:
    return features.WhisperStateFrames(str(save_whisper(folder / "tiny.pt")), layers=[2])


def egemaps(folder: Path) -> Feature:
    pytest.importorskip("opensmile", exc_type=ImportError)
    return features.OpenSmileFunctionals()


def descriptors(folder: Path) -> Feature:
    pytest.importorskip("opensmile", exc_type=ImportError)
    return features.OpenSmileDescriptors()


def librosa_statistics(folder: Path) -> Feature:
    return features.LibrosaStatistics()


MAKERS: dict[str, Callable[[Path], Feature]] = {
    "LibrosaStatistics": librosa_statistics,
    "OpenSmileDescriptors": descriptors,
    "OpenSmileFunctionals": egemaps,
    "ReferenceTranscript": reference,
    "TranscriptFile": transcript_file,
    "VaderScores": vader_scores,
    "WhisperStateFrames": whisper_frames,
    "WhisperStateStatistics": whisper_statistics,
    "WhisperTranscript": whisper_transcript,
}
EXPORTED = sorted(
    name
    for name, thing in vars(features).items()
    if inspect.isclass(thing) and issubclass(thing, Feature) and not inspect.isabstract(thing)
)


@pytest.fixture(params=EXPORTED)
def feature(request: pytest.FixtureRequest, tmp_path: Path) -> Feature:
    return MAKERS[request.param](tmp_path)


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    generator = np.random.default_rng(1)
    made = []
    for number in range(5):
        path = tmp_path / f"clip{number}.wav"
        soundfile.write(path, generator.uniform(-0.3, 0.3, 4000 * (number + 1)), 16000)
        made.append(Clip(f"clip{number}", "1", path, text=f"text {number}"))
    return made


@pytest.fixture
def audio(tmp_path: Path) -> AudioStore:
    return AudioStore(tmp_path / "cache", 16000)


def rows(feature: Feature, values: list[Value]) -> list[Any]:
    """What `collate` makes of each value, without the zeros that pad it to the longest of the batch."""
    made = feature.collate(values)
    if isinstance(made, list):
        return list(made)
    return [
        row[: 1 + int(row.flatten(1).any(dim=1).nonzero().max())].tolist() if row.ndim > 1 else row.tolist()
        for row in made
    ]


def test_every_exported_feature_is_under_contract() -> None:
    assert sorted(MAKERS) == EXPORTED
    assert set(EXPORTED) <= set(features.__all__)


def test_options_are_plain_and_the_key_follows_from_them(feature: Feature) -> None:
    assert json.loads(json.dumps(feature.options())) == feature.options()
    assert feature.key.startswith(feature.name)
    assert feature.key == feature.key


def test_a_feature_that_is_here_is_available(feature: Feature) -> None:
    feature.check_available()


def test_there_is_one_value_a_clip_and_one_row_a_value(
    feature: Feature, clips: list[Clip], audio: AudioStore
) -> None:
    values = list(feature.compute(clips, audio))
    assert len(values) == len(clips)
    assert len(feature.collate(values)) == len(clips)


def test_a_value_does_not_depend_on_the_other_clips(
    feature: Feature, clips: list[Clip], audio: AudioStore
) -> None:
    together = rows(feature, list(feature.compute(clips, audio)))
    backwards = rows(feature, list(feature.compute(clips[::-1], audio)))
    alone = [rows(feature, list(feature.compute([clip], audio)))[0] for clip in clips]
    assert together == backwards[::-1] == alone


def test_a_value_comes_back_from_the_reader_as_it_was(
    feature: Feature, clips: list[Clip], audio: AudioStore, tmp_path: Path
) -> None:
    reader = FeatureReader(FeatureCache(tmp_path / "cache"), [feature], audio)
    reader.fill(clips)
    fresh = list(feature.compute(clips, audio))
    assert rows(feature, [reader(clip)[feature.key] for clip in clips]) == rows(feature, fresh)


def test_a_feature_survives_pickling(feature: Feature) -> None:
    assert pickle.loads(pickle.dumps(feature)).key == feature.key
