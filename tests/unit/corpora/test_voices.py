import numpy as np
import pytest

from lightning_emorec.corpora.manners import Manner, Voice, draw_manner, draw_voice
from lightning_emorec.corpora.naming import EMOTIONS
from lightning_emorec.corpora.phones import STATEMENTS, segments
from lightning_emorec.corpora.voices import RATE_HZ, speak

NEUTRAL = Manner(*[0.0] * len(Manner._fields))
PITCH_HZ = 120.0
NOISE_SEED = 0


def said(phones: str, tract: float = 1.0, **manner: float) -> np.ndarray:
    zeros = np.zeros(len(NEUTRAL))
    voice = Voice(PITCH_HZ, tract, zeros, np.zeros((len(EMOTIONS), len(NEUTRAL))))
    return speak(voice, segments(phones), NEUTRAL._replace(**manner), np.random.default_rng(NOISE_SEED))


def pitch_of(audio: np.ndarray) -> float:
    middle = audio[len(audio) // 2 - 2000 : len(audio) // 2 + 2000]
    similarity = np.correlate(middle, middle, "full")[len(middle) - 1 :]
    shortest = RATE_HZ // 300  # the third harmonic is strong too
    return RATE_HZ / (shortest + np.argmax(similarity[shortest : RATE_HZ // 60]))


def power_between(audio: np.ndarray, low_hz: float, high_hz: float) -> float:
    spectrum = np.abs(np.fft.rfft(audio)) ** 2
    frequencies = np.fft.rfftfreq(len(audio), 1 / RATE_HZ)
    return float(spectrum[(frequencies >= low_hz) & (frequencies < high_hz)].sum())


def rms_db(audio: np.ndarray) -> float:
    return 20 * np.log10(np.sqrt(np.mean(audio**2)))


def test_the_voice_has_the_actors_pitch():
    # Half-way through, the declination of 2 semitones has lowered it by one.
    assert pitch_of(said("AA AA AA AA AA AA")) == pytest.approx(PITCH_HZ * 2 ** (-1 / 12), rel=0.04)


def test_an_octave_up_doubles_the_pitch():
    low, high = (pitch_of(said("AA AA AA AA AA AA", pitch_st=st)) for st in (0.0, 12.0))
    assert high / low == pytest.approx(2.0, rel=0.05)


def test_vowels_have_their_formants():
    open_vowel, close_vowel = said("AA AA AA AA"), said("IY IY IY IY")
    for audio, peak, valley in ((open_vowel, 1000, 2000), (close_vowel, 2200, 1000)):
        assert power_between(audio, peak - 200, peak + 200) > 5 * power_between(
            audio, valley - 200, valley + 200
        )


def test_a_shorter_tract_raises_the_formants():
    def centroid_hz(tract: float) -> float:
        spectrum = np.abs(np.fft.rfft(said("EH EH EH EH", tract)))
        return float(spectrum @ np.fft.rfftfreq(2 * len(spectrum) - 2, 1 / RATE_HZ) / spectrum.sum())

    assert centroid_hz(1.2) > 1.08 * centroid_hz(1.0)


def test_a_sibilant_is_noise_above_the_vowels():
    audio = said("S S S S")
    assert power_between(audio, 4500, 7500) > 10 * power_between(audio, 100, 3000)


def test_level_is_in_decibels():
    quiet, loud = (rms_db(said(STATEMENTS[0].phones, level_db=level)) for level in (-6.0, 0.0))
    assert loud - quiet == pytest.approx(6.0, abs=0.3)


def test_a_faster_tempo_is_shorter():
    phones = " ".join(["AA"] * 30)
    slow_s, fast_s = (len(said(phones, tempo=tempo)) / RATE_HZ - 0.3 for tempo in (0.0, 0.5))  # less silence
    assert fast_s / slow_s == pytest.approx(np.exp(-0.5), abs=0.06)


def test_tilt_is_in_decibels_an_octave():
    def balance_db(tilt_db: float) -> float:
        audio = said("AA AA AA AA AA", tilt_db=tilt_db)
        return 10 * np.log10(power_between(audio, 2300, 2600) / power_between(audio, 600, 800))

    octaves = np.log2((2450 + 100) / (720 + 100))
    assert balance_db(3.0) - balance_db(0.0) == pytest.approx(3.0 * octaves, rel=0.15)


def test_a_rising_end_is_higher_than_a_falling_one():
    def final_hz(final_st: float) -> float:
        audio = said("AA AA AA AA AA AA AA AA", final_st=final_st)
        return pitch_of(audio[-7000:-2400])

    assert final_hz(6.0) > 1.2 * final_hz(-2.0)


def test_the_same_generator_says_the_same():
    assert np.array_equal(said(STATEMENTS[0].phones), said(STATEMENTS[0].phones))


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.text)
def test_every_statement_can_be_said(statement):
    audio = said(statement.phones)
    assert np.isfinite(audio).all()
    assert 1.0 < len(audio) / RATE_HZ < 3.0
    assert np.abs(audio).max() <= 1.0


def test_a_stop_is_a_silence_and_a_burst():
    closure, burst = segments("T")
    assert (closure.voicing, closure.noise) == (0.0, 0.0)
    assert burst.noise > 0.0


def test_an_accent_is_marked_on_its_phone_only():
    assert [part.stressed for part in segments("AA1 N")] == [True, False]


def test_women_have_higher_and_shorter_voices():
    men, women = (
        [draw_voice(sex, np.random.default_rng(k)) for k in range(20)] for sex in ("male", "female")
    )
    assert max(voice.pitch_hz for voice in men) < min(voice.pitch_hz for voice in women)
    assert np.mean([voice.tract for voice in women]) > 1.1 * np.mean([voice.tract for voice in men])


def mean_manner(emotion: str, intensity: str = "normal") -> Manner:
    drawn = []
    for k in range(200):
        rng = np.random.default_rng(k)
        drawn.append(draw_manner(draw_voice("female", rng), emotion, intensity, rng))
    return Manner(*np.mean(drawn, axis=0))


def test_emotions_differ_as_the_literature_says():
    neutral, sad, angry, fearful, surprised = (
        mean_manner(emotion) for emotion in ("neutral", "sad", "angry", "fearful", "surprised")
    )
    assert angry.level_db > neutral.level_db + 4 > sad.level_db + 7
    assert angry.tilt_db > neutral.tilt_db > sad.tilt_db
    assert fearful.pitch_st > neutral.pitch_st + 3
    assert fearful.tempo > neutral.tempo > sad.tempo
    assert surprised.final_st > neutral.final_st + 3


def test_a_strong_emotion_departs_further_from_neutral():
    assert mean_manner("angry", "strong").pitch_st > 1.3 * mean_manner("angry").pitch_st
