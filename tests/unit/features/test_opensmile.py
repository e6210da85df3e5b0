from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from lightning_emorec.audio import AudioStore
from lightning_emorec.errors import EmorecError, UnavailableError
from lightning_emorec.features import Feature, OpenSmileDescriptors, OpenSmileFunctionals
from lightning_emorec.types import Clip

opensmile = pytest.importorskip("opensmile", exc_type=ImportError)

SETS = ["eGeMAPSv02", "ComParE_2016"]


@pytest.fixture
def audio(tmp_path: Path) -> AudioStore:
    return AudioStore(tmp_path / "cache", 16000)


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A buzz of 150 Hz in noise, half a second."""
    time_s = np.arange(8000) / 16000
    buzz = sum(np.sin(2 * np.pi * 150 * k * time_s) / k for k in range(1, 20))
    noise = np.random.default_rng(0).normal(size=8000)
    return written(tmp_path_factory.mktemp("voice"), 0.2 * buzz + 0.01 * noise)


def written(folder: Path, samples: Any) -> Clip:
    path = folder / "clip.wav"
    soundfile.write(path, samples, 16000, subtype="FLOAT")
    return Clip("clip", "1", path)


def heard(clip: Clip, audio: AudioStore) -> Any:
    assert clip.path is not None
    return audio.load(clip.path)


def value_of(feature: Feature, clip: Clip, audio: AudioStore) -> Any:
    (value,) = feature.compute([clip], audio)
    return value


@pytest.mark.parametrize("feature_set", SETS)
def test_functionals_are_those_of_the_library(feature_set: Any, voice: Clip, audio: AudioStore) -> None:
    feature = OpenSmileFunctionals(feature_set)
    smile = opensmile.Smile(opensmile.FeatureSet[feature_set], opensmile.FeatureLevel.Functionals)
    made = value_of(feature, voice, audio)
    np.testing.assert_array_equal(made, smile.process_signal(heard(voice, audio), 16000).to_numpy()[0])
    assert (made.shape, made.dtype) == ((feature.size,), np.float32)


def test_descriptors_are_those_of_the_library(voice: Clip, audio: AudioStore) -> None:
    level = opensmile.FeatureLevel.LowLevelDescriptors
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, level)
    reference = smile.process_signal(heard(voice, audio), 16000)
    made = value_of(OpenSmileDescriptors(), voice, audio)
    np.testing.assert_array_equal(made, reference.to_numpy())
    assert made.shape[1] == 25
    pitch = made[:, list(reference.columns).index("F0semitoneFrom27.5Hz_sma3nz")]
    assert 27.5 * 2 ** (np.median(pitch[pitch > 0]) / 12) == pytest.approx(150, rel=0.01)


@pytest.mark.parametrize("feature", [OpenSmileFunctionals(), OpenSmileDescriptors()])
@pytest.mark.parametrize("samples", [1, 900])
def test_a_clip_that_is_too_short_counts_as_followed_by_silence(
    feature: Feature, samples: int, tmp_path: Path, audio: AudioStore
) -> None:
    short = np.random.default_rng(0).uniform(-0.5, 0.5, samples)
    made = value_of(feature, written(tmp_path, short), audio)
    longer = tmp_path / "longer"
    longer.mkdir()
    assert np.isfinite(made).all()
    np.testing.assert_array_equal(
        made, value_of(feature, written(longer, np.pad(short, (0, 1600 - samples))), audio)
    )


@pytest.mark.parametrize("feature", [*map(OpenSmileFunctionals, SETS), OpenSmileDescriptors()])
def test_a_silent_clip_has_finite_numbers(feature: Feature, tmp_path: Path, audio: AudioStore) -> None:
    assert np.isfinite(value_of(feature, written(tmp_path, np.zeros(16000)), audio)).all()


def test_a_batch_of_descriptors_tells_its_own_frames_from_padding() -> None:
    values = [np.full((2, 25), 7, dtype=np.float32), np.full((4, 25), 8, dtype=np.float32)]
    batch = OpenSmileDescriptors().collate(values)
    assert batch.shape == (2, 4, 26)
    assert batch[..., 25].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert torch.equal(batch[0, :2, :25], torch.full((2, 25), 7.0))
    assert not batch[0, 2:].any()


def test_another_set_level_or_version_is_another_feature(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [OpenSmileFunctionals().key, OpenSmileFunctionals("ComParE_2016").key, OpenSmileDescriptors().key]
    monkeypatch.setattr("lightning_emorec.features.opensmile.version", lambda name: "0.0.1")
    assert len({*keys, OpenSmileFunctionals().key}) == 4


@pytest.mark.parametrize("feature", [OpenSmileFunctionals(), OpenSmileDescriptors()])
def test_a_missing_package_is_told_with_the_extra_that_brings_it(
    feature: Feature, voice: Clip, audio: AudioStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opensmile", None)
    complaint = r"the package opensmile; found .*pip install 'lightning-emorec\[opensmile\]'"
    with pytest.raises(UnavailableError, match=complaint):
        feature.check_available()
    with pytest.raises(UnavailableError, match=complaint):
        value_of(feature, voice, audio)


def test_the_key_can_be_asked_for_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import PackageNotFoundError

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("lightning_emorec.features.opensmile.version", absent)
    assert OpenSmileFunctionals().key != OpenSmileDescriptors().key


def test_a_clip_without_audio_is_refused(audio: AudioStore) -> None:
    with pytest.raises(EmorecError, match="audio for every clip; found the corpus has no audio"):
        value_of(OpenSmileFunctionals(), Clip("text only", "1", None), audio)


def test_importing_the_features_imports_no_slow_library() -> None:
    code = (
        "import sys, lightning_emorec.features; print({'opensmile', 'librosa', 'numba'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
