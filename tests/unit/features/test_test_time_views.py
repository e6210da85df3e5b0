from __future__ import annotations

import numpy as np
import pytest

from lightning_emorec.features.test_time_views import view_of

SOUND = np.random.default_rng(0).uniform(-0.3, 0.3, 16000).astype(np.float32)


def test_the_first_view_is_the_clip_as_it_is() -> None:
    assert view_of(SOUND, 0, "a", 16000) is SOUND


@pytest.mark.parametrize("number", range(1, 8))
def test_a_view_follows_from_its_number_and_the_clip_alone(number: int) -> None:
    made = view_of(SOUND, number, "a", 16000)
    np.random.default_rng(5).uniform()
    np.random.uniform()
    np.testing.assert_array_equal(made, view_of(SOUND, number, "a", 16000))
    other = view_of(SOUND, number, "b", 16000)
    assert len(other) != len(made) or not np.array_equal(other, made)


def test_views_are_slower_then_faster_then_in_noise() -> None:
    slower, faster, noisy = (view_of(SOUND, number, "a", 16000) for number in (1, 2, 3))
    assert 16000 / 0.95 - 1 <= len(slower) <= 16000 / 0.85 + 1
    assert 16000 / 1.15 - 1 <= len(faster) <= 16000 / 1.05 + 1
    noise = noisy - SOUND
    snr_db = 10 * np.log10(np.square(SOUND).mean() / np.square(noise).mean())
    assert 9.5 <= snr_db <= 25.5


def test_views_beyond_the_recipe_are_drawn_anew() -> None:
    assert len(view_of(SOUND, 6, "a", 16000)) > 16000
    assert len(view_of(SOUND, 6, "a", 16000)) != len(view_of(SOUND, 1, "a", 16000))


def test_views_of_silence_are_finite() -> None:
    for number in range(6):
        assert np.isfinite(view_of(np.zeros(1600, np.float32), number, "a", 16000)).all()
