from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from lightning_emorec.audio import AudioStore
from lightning_emorec.commands.stress.degradations import DEGRADATIONS, Degradation
from lightning_emorec.commands.stress.degraded_audio import DegradedAudio
from lightning_emorec.commands.stress.recording import Recording, Sound
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import LibrosaStatistics
from lightning_emorec.types import Clip
from tests.unit.commands.stress.conftest import RATE_HZ, no_voices


def path_of(clip: Clip) -> Path:
    assert clip.path is not None
    return clip.path


def test_a_clip_is_degraded_when_it_is_loaded(voices: list[Clip], store: AudioStore) -> None:
    clean = store.load(path_of(voices[0]))
    degraded = DegradedAudio(store, voices, DEGRADATIONS["quieter"], -20.0, 1, no_voices())
    np.testing.assert_allclose(degraded.load(path_of(voices[0])), clean / 10, rtol=1e-5)
    np.testing.assert_array_equal(store.load(path_of(voices[0])), clean)


def test_noise_depends_on_run_and_clip_and_not_on_order_or_severity(
    tmp_path: Path, store: AudioStore
) -> None:
    tone = np.sin(np.arange(RATE_HZ) / 10)
    clips = []
    for name in ("one", "two"):
        soundfile.write(tmp_path / f"{name}.wav", tone, RATE_HZ)
        clips.append(Clip(name, name, tmp_path / f"{name}.wav"))
    one, two = (path_of(clip) for clip in clips)

    def noise(path: Path, snr_db: float = 0.0, seed: int = 1) -> Sound:
        return DegradedAudio(store, clips, DEGRADATIONS["white"], snr_db, seed, no_voices()).load(
            path
        ) - store.load(path)

    first = noise(one)
    noise(two)
    np.testing.assert_array_equal(noise(one), first)
    np.testing.assert_allclose(noise(one, snr_db=20.0), first / 10, atol=1e-6)
    assert not np.allclose(noise(two), first)
    assert not np.allclose(noise(one, seed=2), first)


def test_another_rate_is_degraded_too(voices: list[Clip], store: AudioStore) -> None:
    degraded = DegradedAudio(store, voices, DEGRADATIONS["quieter"], -20.0, 1, no_voices()).at(8000)
    assert degraded.rate_hz == 8000
    clean = store.at(8000).load(path_of(voices[0]))
    np.testing.assert_allclose(degraded.load(path_of(voices[0])), clean / 10, rtol=1e-5)


def test_features_are_computed_from_the_degraded_audio(voices: list[Clip], store: AudioStore) -> None:
    feature = LibrosaStatistics()
    degraded = DegradedAudio(store, voices, DEGRADATIONS["white"], -5.0, 1, no_voices())
    clean_values, degraded_values = (
        [np.asarray(value) for value in feature.compute(voices[:2], audio)] for audio in (store, degraded)
    )
    assert not np.allclose(clean_values[0], degraded_values[0])


def broken(recording: Recording, severity: float) -> Sound:
    return np.full_like(recording.audio, np.nan * severity)


def test_what_is_not_finite_goes_no_further(voices: list[Clip], store: AudioStore) -> None:
    with pytest.raises(EmorecError, match=r"finite samples after broken; found none or some.*of clip a0"):
        DegradedAudio(
            store, voices, Degradation("broken", "Broken", "", (1.0,), broken), 1.0, 1, no_voices()
        ).load(path_of(voices[0]))
