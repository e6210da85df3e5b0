from __future__ import annotations

import numpy as np
import pytest

from lightning_emorec.commands.stress.degradations import DEGRADATIONS
from lightning_emorec.commands.stress.distortions import change_level, clip_peaks, onset, truncate
from lightning_emorec.commands.stress.recording import Sound
from tests.unit.commands.stress.conftest import RATE_HZ, recording


@pytest.mark.parametrize("percent", DEGRADATIONS["clipping"].severities)
def test_the_given_percentage_of_samples_is_clipped(percent: float) -> None:
    audio = np.random.default_rng(0).standard_normal(RATE_HZ).astype(np.float32)
    changed = clip_peaks(recording(audio), percent)
    assert 100 * np.mean(changed != audio) == pytest.approx(percent, abs=0.1)
    assert np.abs(changed).max() < np.abs(audio).max()


@pytest.mark.parametrize(("gain_db", "factor"), [(-20.0, 0.1), (20.0, 10.0)])
def test_gain_scales_without_clipping(speech: Sound, gain_db: float, factor: float) -> None:
    assert gain_db in DEGRADATIONS["louder" if gain_db > 0 else "quieter"].severities
    np.testing.assert_allclose(change_level(recording(speech), gain_db), factor * speech, rtol=1e-5)


@pytest.mark.parametrize(
    ("seconds", "samples"), [(0.25, 12000), (0.5, 16000), (1.0, 24000), (1.5, 32000), (2.0, 40000)]
)
def test_truncation_counts_from_where_speech_begins(speech: Sound, seconds: float, samples: int) -> None:
    changed = truncate(recording(speech), seconds)  # speech begins after 0.5 s
    np.testing.assert_array_equal(changed, speech[:samples])


def test_truncation_leaves_a_shorter_clip_whole() -> None:
    audio = np.ones(RATE_HZ // 10, np.float32)
    np.testing.assert_array_equal(truncate(recording(audio), 0.25), audio)


def test_onset_is_the_first_frame_that_is_not_much_quieter_than_the_loudest() -> None:
    frames = np.repeat([1e-3, 1e-3, 1.0, 0.1, 1.0], 160).astype(np.float32)
    assert onset(frames, RATE_HZ) == 320
    assert onset(np.zeros(800, np.float32), RATE_HZ) == 0
    assert onset(np.ones(5, np.float32), RATE_HZ) == 0
