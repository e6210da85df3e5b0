from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import welch

from lightning_emorec.commands.stress.degradations import DEGRADATIONS
from lightning_emorec.commands.stress.distortions import CODEC_DELAY, as_mp3, by_telephone, fit_length
from lightning_emorec.commands.stress.recording import Sound
from tests.unit.commands.stress.conftest import RATE_HZ, recording

KBITS = DEGRADATIONS["mp3"].severities


def band_gain_db(clean: Sound, changed: Sound, low_hz: float, high_hz: float) -> float:
    hertz, before = welch(clean, RATE_HZ, nperseg=4096)
    _, after = welch(changed, RATE_HZ, nperseg=4096)
    band = (hertz >= low_hz) & (hertz < high_hz)
    return float(10 * np.log10(after[band].sum() / before[band].sum()))


def test_a_telephone_passes_its_band_and_nothing_else() -> None:
    audio = np.random.default_rng(0).uniform(-0.5, 0.5, 4 * RATE_HZ).astype(np.float32)
    changed = by_telephone(recording(audio), 8.0)
    assert band_gain_db(audio, changed, 500, 3000) == pytest.approx(0, abs=0.5)
    assert band_gain_db(audio, changed, 0, 150) < -40
    assert band_gain_db(audio, changed, 4100, 8000) < -80
    assert band_gain_db(audio, changed, 3700, 4000) < -3


@pytest.mark.parametrize("kbits", KBITS)
def test_an_mp3_is_not_late(speech: Sound, kbits: float) -> None:
    changed = as_mp3(recording(speech), kbits)
    lags = np.arange(-CODEC_DELAY - 100, CODEC_DELAY + 101)
    match = [float(np.dot(np.roll(changed, -lag), speech)) for lag in lags]
    assert abs(lags[int(np.argmax(match))]) <= 1


def test_an_mp3_loses_more_at_a_lower_rate(speech: Sound) -> None:
    changed = [as_mp3(recording(speech), kbits) for kbits in KBITS]
    treble = [band_gain_db(speech, of, 5000, 7500) for of in changed]
    assert treble[0] > -3
    assert treble[-1] < -20
    assert band_gain_db(speech, changed[-1], 100, 1000) == pytest.approx(0, abs=1.5)


def test_audio_beyond_full_scale_is_not_clipped_by_the_codec(speech: Sound) -> None:
    loud = 20 * speech
    assert np.abs(loud).max() > 2
    np.testing.assert_allclose(
        as_mp3(recording(loud), 64.0).std() / loud.std(),
        as_mp3(recording(speech), 64.0).std() / speech.std(),
        rtol=0.02,
    )


def test_fitting_cuts_and_pads_at_the_end() -> None:
    audio = np.arange(1, 5, dtype=np.float32)
    assert fit_length(audio, 3).tolist() == [1, 2, 3]
    assert fit_length(audio, 6).tolist() == [1, 2, 3, 4, 0, 0]
