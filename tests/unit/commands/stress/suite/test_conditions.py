from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import soundfile

from lightning_emorec.audio import AudioStore
from lightning_emorec.commands.stress import changes, synthesis
from lightning_emorec.commands.stress.recording import Recording, Sound, Voices, rms
from lightning_emorec.commands.stress.suite.conditions import CONDITIONS, SMALL, SuiteCondition
from lightning_emorec.commands.stress.suite.pitch import band, speaker_pitch
from lightning_emorec.types import Clip
from tests.unit.commands.stress.conftest import RATE_HZ, recording

EACH = pytest.mark.parametrize("condition", CONDITIONS.values(), ids=lambda of: of.name)


def degraded(condition: SuiteCondition, of: Recording) -> Sound:
    return condition.degradation.apply(of, condition.severity)


@EACH
def test_each_condition_is_repeatable_and_changes_speech_without_changing_its_input(
    condition: SuiteCondition, speech: Sound, voices: list[Clip], store: AudioStore
) -> None:
    before, others = speech.copy(), Voices(voices, store)
    first, again = (degraded(condition, recording(speech, voices=others)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(speech, before)
    assert np.isfinite(first).all()
    if condition.name not in ("speech_2s", "speech_3s"):  # there are 2 s of speech
        assert len(first) != len(speech) or np.abs(first - speech).max() > 0


@EACH
@pytest.mark.parametrize("samples", [1, 2, 50, 3000])
def test_each_condition_takes_silence_of_any_length(
    condition: SuiteCondition, samples: int, voices: list[Clip], store: AudioStore
) -> None:
    silence = np.zeros(samples, dtype=np.float32)
    found = degraded(condition, recording(silence, voices=Voices(voices, store)))
    assert len(found) >= 1
    assert np.abs(found).max() < 1e-6


@pytest.mark.parametrize(
    ("add", "snr_db"),
    [
        (synthesis.add_coughing, 10.0),
        (synthesis.add_sneezing, 10.0),
        (synthesis.add_music, 20.0),
        (synthesis.add_environment, 20.0),
    ],
)
def test_synthetic_backgrounds_have_the_snr_that_is_asked_for(
    add: object, snr_db: float, speech: Sound
) -> None:
    assert callable(add)
    noise = add(recording(speech), snr_db) - speech
    assert 20 * np.log10(rms(speech) / rms(noise)) == pytest.approx(snr_db, abs=0.1)


def test_small_changes_stay_within_their_ranges(speech: Sound) -> None:
    for seed in range(6):
        of = recording(speech, seed=seed)
        assert len(changes.zeros_before(of, 0)) - len(speech) in changes.SAMPLES
        assert len(speech) - len(changes.crop_end(of, 0)) in changes.SAMPLES
        np.testing.assert_array_equal(changes.crop_start(of, 0)[-1000:], speech[-1000:])
        clipped = np.mean(changes.clip_few(of, 0) != speech)
        assert 0.0005 < clipped <= 0.0035
        gain_db = 20 * np.log10(rms(changes.change_gain(of, 0)) / rms(speech))
        assert round(gain_db, 2) in (-2, -1, 1, 2)
        noise = changes.add_tone(of, 0) - speech
        peak_hz = np.fft.rfftfreq(len(noise), 1 / RATE_HZ)[np.abs(np.fft.rfft(noise)).argmax()]
        assert round(peak_hz) in (5000, 6000, 7000)


def test_there_are_ten_small_changes() -> None:
    assert sum(of.group == SMALL for of in CONDITIONS.values()) == 10


@pytest.mark.parametrize("codec", ["GSM610", "ULAW"])
def test_a_cheap_phone_keeps_nothing_above_4_khz_but_its_noise(codec: changes.Codec, speech: Sound) -> None:
    heard = changes.by_cheap_phone(codec, recording(speech), 8.0)
    assert len(heard) == len(speech)
    hz = np.fft.rfftfreq(len(heard), 1 / RATE_HZ)
    power = [np.square(np.abs(np.fft.rfft(sound)))[hz > 4500].sum() for sound in (heard, speech)]
    assert power[0] < 0.5 * power[1]


def test_tilt_turns_the_spectrum_and_keeps_the_level(speech: Sound) -> None:
    hz = np.fft.rfftfreq(len(speech), 1 / RATE_HZ)
    up, down = (changes.tilt(recording(speech), direction) for direction in (1.0, -1.0))
    high = [np.abs(np.fft.rfft(sound))[hz > 3000].sum() for sound in (down, speech, up)]
    assert high == sorted(high)
    assert rms(up) == pytest.approx(rms(speech), rel=1e-4)


def test_a_farther_position_has_more_of_the_room(speech: Sound) -> None:
    impulse = np.zeros(RATE_HZ, dtype=np.float32)
    impulse[0] = 1.0
    near, far = (partial(changes.in_room, tail_db=of)(recording(impulse), 0.3) for of in (-6.0, 6.0))
    assert np.square(near[1:]).sum() < np.square(far[1:]).sum()


@pytest.mark.parametrize(("hz", "name"), [(110.0, "low"), (170.0, "middle"), (230.0, "high")])
def test_the_pitch_of_a_speaker_has_a_band(hz: float, name: str, store: AudioStore) -> None:
    time_s = np.arange(RATE_HZ) / RATE_HZ
    voice = sum(np.sin(2 * np.pi * hz * k * time_s) / k for k in range(1, 12))
    path = store.folder.parent / "voice.wav"
    soundfile.write(path, 0.1 * np.asarray(voice), RATE_HZ)
    found = speaker_pitch([Clip("a", "a", path)], store)
    assert found == pytest.approx(hz, rel=0.03)
    assert (band(found) or "").startswith(name)


def test_a_speaker_without_voice_has_no_band() -> None:
    assert band(None) is None
