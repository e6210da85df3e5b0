from __future__ import annotations

import numpy as np
import pytest

from lightning_emorec.commands.stress.degradations import DEGRADATIONS
from lightning_emorec.commands.stress.distortions import add_reverberation, impulse_response
from lightning_emorec.commands.stress.recording import Sound, rms
from tests.unit.commands.stress.conftest import RATE_HZ, recording


@pytest.mark.parametrize("rt60_s", DEGRADATIONS["reverberation"].severities)
def test_the_tail_decays_by_60_db_in_the_time_given(rt60_s: float) -> None:
    tail = impulse_response(RATE_HZ, rt60_s, seed=1)[1:]
    remaining_db = 10 * np.log10(np.cumsum(np.square(tail)[::-1])[::-1])  # Schroeder's backward integration
    first, last = (int(np.argmax(remaining_db <= remaining_db[0] - drop)) for drop in (5, 35))
    slope_db_s = 30 / ((last - first) / RATE_HZ)  # T30, as acousticians measure it
    assert 60 / slope_db_s == pytest.approx(rt60_s, rel=0.05)


def test_direct_sound_comes_first_and_the_tail_has_its_energy() -> None:
    room = impulse_response(RATE_HZ, 0.6, seed=1)
    assert room[0] == 1
    assert np.square(room[1:]).sum() == pytest.approx(1)


def test_length_level_and_onset_stay(speech: Sound) -> None:
    wet = add_reverberation(recording(speech), 1.0)
    assert len(wet) == len(speech)
    assert rms(wet) == pytest.approx(rms(speech), rel=1e-4)
    assert np.abs(wet[: RATE_HZ // 2]).max() < 1e-6  # the silence before is as silent
    assert np.abs(wet[RATE_HZ // 2 :][:50]).max() > 1e-3
