from __future__ import annotations

from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from lightning_emorec.audio import AudioStore
from lightning_emorec.features import LibrosaStatistics
from lightning_emorec.types import Clip

ROWS = {"mfcc": slice(0, 40), "chroma": slice(40, 52), "mel": slice(52, 180), "contrast": slice(180, 187)}
TONNETZ = slice(187, 193)


@pytest.fixture
def audio(tmp_path: Path) -> AudioStore:
    return AudioStore(tmp_path / "cache", 16000)


def statistics(folder: Path, samples: Any, audio: AudioStore) -> NDArray[Any]:
    """(2, 193): means, and deviations."""
    path = folder / f"{len(samples)}.wav"
    soundfile.write(path, samples, 16000, subtype="FLOAT")
    (value,) = LibrosaStatistics().compute([Clip("clip", "1", path)], audio)
    assert isinstance(value, np.ndarray)
    assert (value.shape, value.dtype) == ((LibrosaStatistics().size,), np.float32)
    return value.reshape(2, 193)


@pytest.fixture
def tone() -> NDArray[Any]:
    """An A at 440 Hz in noise."""
    noise = np.random.default_rng(0).normal(size=16000)
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000) + 0.01 * noise).astype(np.float32)


def test_means_and_deviations_are_those_of_the_library(
    tone: NDArray[Any], tmp_path: Path, audio: AudioStore
) -> None:
    means, deviations = statistics(tmp_path, tone, audio)
    heard = audio.load(tmp_path / "16000.wav")
    reference = {
        "mfcc": librosa.feature.mfcc(y=heard, sr=16000, n_mfcc=40),
        "chroma": librosa.feature.chroma_stft(y=heard, sr=16000, tuning=0.0),
        "mel": librosa.feature.melspectrogram(y=heard, sr=16000),
        "contrast": librosa.feature.spectral_contrast(y=heard, sr=16000),
    }
    for name, frames in reference.items():
        np.testing.assert_allclose(means[ROWS[name]], frames.mean(axis=1), rtol=1e-4, atol=1e-4, err_msg=name)
        np.testing.assert_allclose(deviations[ROWS[name]], frames.std(axis=1), rtol=1e-4, atol=1e-4)


def test_an_a_is_an_a_in_chroma_and_tonnetz(tone: NDArray[Any], tmp_path: Path, audio: AudioStore) -> None:
    means, _ = statistics(tmp_path, tone, audio)
    assert means[ROWS["chroma"]].argmax() == 9
    fifths = (
        9 * 7 * np.pi / 6
    )  # the angle of pitch class 9 on the circle of fifths, tonnetz's first two numbers
    direction = np.array([np.sin(fifths), np.cos(fifths)])
    assert means[TONNETZ][:2] @ direction > 0.5


@pytest.mark.parametrize("samples", [1, 500, 16000])
def test_short_and_silent_clips_have_finite_numbers(samples: int, tmp_path: Path, audio: AudioStore) -> None:
    assert np.isfinite(statistics(tmp_path, np.zeros(samples), audio)).all()


def test_a_clip_shorter_than_a_window_counts_as_followed_by_silence(
    tone: NDArray[Any], tmp_path: Path, audio: AudioStore
) -> None:
    short = statistics(tmp_path, tone[:500], audio)
    np.testing.assert_array_equal(short, statistics(tmp_path, np.pad(tone[:500], (0, 1548)), audio))


def test_the_key_depends_on_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    key = LibrosaStatistics().key
    monkeypatch.setattr("lightning_emorec.features.librosa_statistics.version", lambda name: "0.0.1")
    assert LibrosaStatistics().key != key
