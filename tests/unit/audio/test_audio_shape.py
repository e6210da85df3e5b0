from __future__ import annotations

import numpy as np
import pytest

from lightning_emorec.audio import center_crop, random_crop, trim_silence

RATE_HZ = 16_000


def speech(before_s: float, speech_s: float, after_s: float, background: float = 0.0) -> np.ndarray:
    generator = np.random.default_rng(0)
    levels = np.repeat(
        [background, 0.5, background], [round(s * RATE_HZ) for s in (before_s, speech_s, after_s)]
    )
    return (levels * generator.choice([-1.0, 1.0], len(levels))).astype(np.float32)


def test_silence_at_both_ends_is_cut_to_the_frame() -> None:
    audio = speech(0.5, 1.0, 0.8)
    trimmed = trim_silence(audio, RATE_HZ, 30)
    loud = np.abs(trimmed) > 0
    assert loud.sum() == RATE_HZ
    assert len(trimmed) - RATE_HZ <= 2 * 0.010 * RATE_HZ


def test_a_pause_inside_is_kept() -> None:
    audio = np.concatenate([speech(0.5, 0.3, 1.0), speech(0, 0.3, 0.5)])
    assert len(trim_silence(audio, RATE_HZ, 30)) == pytest.approx(1.6 * RATE_HZ, abs=320)


def test_what_lies_less_far_below_the_peak_is_kept() -> None:
    audio = speech(0.5, 1.0, 0.5, background=0.5 * 10 ** (-25 / 20))  # 25 dB below
    assert len(trim_silence(audio, RATE_HZ, 26)) == len(audio)
    assert len(trim_silence(audio, RATE_HZ, 24)) == pytest.approx(RATE_HZ, abs=320)


def test_trimming_depends_on_relative_level_only() -> None:
    audio = speech(0.5, 1.0, 0.5, background=0.01)
    assert len(trim_silence(audio, RATE_HZ, 30)) == len(trim_silence(audio * np.float32(1e-3), RATE_HZ, 30))


@pytest.mark.parametrize("before_s", [0.0, 0.33, 0.99])
def test_a_click_keeps_a_tenth_of_a_second(before_s: float) -> None:
    audio = np.zeros(RATE_HZ, np.float32)
    click = round(before_s * RATE_HZ)
    audio[click : click + 5] = 1.0
    trimmed = trim_silence(audio, RATE_HZ, 30)
    assert len(trimmed) == RATE_HZ // 10
    assert trimmed.sum() == 5


@pytest.mark.parametrize("samples", [1, 100, 1600, RATE_HZ])
def test_silence_is_returned_untouched(samples: int) -> None:
    silence = np.zeros(samples, np.float32)
    assert trim_silence(silence, RATE_HZ, 30) is silence


def test_audio_shorter_than_a_tenth_of_a_second_is_returned_untouched() -> None:
    audio = speech(0.03, 0.04, 0.03)
    assert trim_silence(audio, RATE_HZ, 30) is audio


def test_the_end_that_fills_no_frame_is_kept() -> None:
    audio = np.ones(RATE_HZ + 77, np.float32)
    assert len(trim_silence(audio, RATE_HZ, 30)) == RATE_HZ + 77


def test_random_crop_reaches_every_start() -> None:
    audio = np.arange(10, dtype=np.float32)
    generator = np.random.default_rng(0)
    crops = [random_crop(audio, 8, generator) for _ in range(100)]
    assert {crop[0] for crop in crops} == {0, 1, 2}
    assert all(np.array_equal(crop, np.arange(crop[0], crop[0] + 8)) for crop in crops)


def test_random_crop_is_the_generators() -> None:
    audio = np.arange(1000, dtype=np.float32)
    first, second = (random_crop(audio, 10, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_center_crop_takes_the_middle() -> None:
    np.testing.assert_array_equal(center_crop(np.arange(10, dtype=np.float32), 4), [3, 4, 5, 6])


@pytest.mark.parametrize("samples", [10, 11])
def test_crops_of_short_audio_are_all_of_it(samples: int) -> None:
    audio = np.arange(10, dtype=np.float32)
    np.testing.assert_array_equal(center_crop(audio, samples), audio)
    np.testing.assert_array_equal(random_crop(audio, samples, np.random.default_rng(0)), audio)
