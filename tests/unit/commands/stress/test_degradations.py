"""What holds for every degradation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lightning_emorec.audio import AudioStore
from lightning_emorec.commands.stress.degradations import (
    CONDITIONS,
    DEGRADATIONS,
    MISSING,
    Degradation,
    check_conditions,
)
from lightning_emorec.commands.stress.recording import Sound, Voices
from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Clip
from tests.unit.commands.stress.conftest import RATE_HZ, recording

DRAWN = {"white", "babble", "reverberation"}
SHORTENED = {"truncation"}


@pytest.fixture(params=list(DEGRADATIONS))
def degradation(request: pytest.FixtureRequest, voices: list[Clip], store: AudioStore) -> Degradation:
    """Each in turn, with other voices at hand."""
    made, others = DEGRADATIONS[request.param], Voices(voices, store)
    return replace(made, apply=lambda given, severity: made.apply(replace(given, voices=others), severity))


def test_it_is_the_same_each_time(degradation: Degradation, speech: Sound) -> None:
    for severity in degradation.severities:
        first, again = (degradation.apply(recording(speech), severity) for _ in range(2))
        np.testing.assert_array_equal(first, again)


def test_another_seed_changes_what_is_drawn_and_nothing_else(degradation: Degradation, speech: Sound) -> None:
    severity = degradation.severities[-1]
    first, other = (degradation.apply(recording(speech, seed=seed), severity) for seed in (1, 2))
    assert np.array_equal(first, other) == (degradation.name not in DRAWN)


def test_it_changes_the_audio_and_leaves_the_original(degradation: Degradation, speech: Sound) -> None:
    original = speech.copy()
    for severity in degradation.severities:
        changed = degradation.apply(recording(speech), severity)
        if severity != 2.0 or degradation.name not in SHORTENED:  # all of it is within two seconds
            assert not np.array_equal(changed, original)
    np.testing.assert_array_equal(speech, original)


def test_a_worse_severity_is_farther_from_the_original(degradation: Degradation, speech: Sound) -> None:
    def distance(severity: float) -> float:
        changed = degradation.apply(recording(speech), severity)
        return float(np.square(np.pad(changed, (0, len(speech) - len(changed))) - speech).sum())

    distances = [distance(severity) for severity in degradation.severities]
    assert distances == sorted(distances)


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050])
def test_length_stays_at_any_rate(degradation: Degradation, rate_hz: int) -> None:
    audio = np.random.default_rng(0).uniform(-0.5, 0.5, rate_hz * 3 // 2).astype(np.float32)
    for severity in degradation.severities:
        changed = degradation.apply(recording(audio, rate_hz=rate_hz), severity)
        assert changed.dtype == np.float32
        if degradation.name not in SHORTENED:
            assert len(changed) == len(audio)


@pytest.mark.parametrize("samples", [1, 7, 160, RATE_HZ])
def test_silence_of_any_length_stays_silence(degradation: Degradation, samples: int) -> None:
    for severity in degradation.severities:
        changed = degradation.apply(recording(np.zeros(samples, np.float32)), severity)
        assert changed.size
        np.testing.assert_allclose(changed, 0, atol=1e-4)


@pytest.mark.parametrize("samples", [1, 7, 160])
def test_a_very_short_clip_stays_finite(degradation: Degradation, samples: int) -> None:
    audio = np.linspace(-1, 1, samples, dtype=np.float32)
    for severity in degradation.severities:
        changed = degradation.apply(recording(audio), severity)
        assert changed.size
        assert np.isfinite(changed).all()


def test_each_has_a_name_of_its_own() -> None:
    assert len({*CONDITIONS}) == len(DEGRADATIONS) + 1
    assert CONDITIONS[-1] == MISSING


def test_an_unknown_condition_is_refused() -> None:
    with pytest.raises(EmorecError, match=r"white.*found pink; correct --conditions"):
        check_conditions(["white", "pink"])


def test_no_condition_is_refused() -> None:
    with pytest.raises(EmorecError, match="at least one condition"):
        check_conditions([])
