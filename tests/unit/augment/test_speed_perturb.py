from __future__ import annotations

import random

import numpy as np
import pytest

from lightning_emorec.augment import SpeedPerturb
from lightning_emorec.errors import EmorecError

RATE_HZ = 16_000
TIME = np.arange(RATE_HZ) / RATE_HZ
TONE = np.sin(2 * np.pi * 1000 * TIME).astype(np.float32)


@pytest.mark.parametrize("speed", [0.8, 1.0, 1.25])
def test_a_faster_clip_is_shorter_and_higher(speed: float) -> None:
    changed = SpeedPerturb(speed, speed, p=1.0)(TONE, RATE_HZ)
    assert changed.dtype == np.float32
    assert len(changed) == round(RATE_HZ / speed)
    expected = np.sin(2 * np.pi * 1000 * speed * np.arange(len(changed)) / RATE_HZ)
    np.testing.assert_allclose(changed[1000:-1000], expected[1000:-1000], atol=2e-3)


def test_playing_faster_does_not_alias() -> None:
    high = np.sin(2 * np.pi * 7000 * TIME).astype(
        np.float32
    )  # at 1.25 it would be 8750 Hz, above half the rate
    assert np.abs(SpeedPerturb(1.25, 1.25, p=1.0)(high, RATE_HZ)[1000:-1000]).max() < 1e-3


def test_speeds_are_drawn_from_the_whole_range() -> None:
    random.seed(0)
    perturb = SpeedPerturb(0.9, 1.1, p=1.0)
    speeds = [RATE_HZ / len(perturb(TONE, RATE_HZ)) for _ in range(200)]
    assert min(speeds) == pytest.approx(0.9, abs=0.01)
    assert max(speeds) == pytest.approx(1.1, abs=0.01)
    assert np.mean(speeds) == pytest.approx(1.0, abs=0.02)


def test_it_applies_with_its_probability() -> None:
    random.seed(0)
    perturb = SpeedPerturb(0.9, 0.9, p=0.25)
    applied = sum(len(perturb(TONE[:2000], RATE_HZ)) != 2000 for _ in range(1000))
    assert applied == pytest.approx(250, abs=50)


@pytest.mark.parametrize(("slowest", "fastest"), [(0.0, 1.0), (-1.0, 1.0), (1.2, 1.1)])
def test_impossible_speeds_are_refused(slowest: float, fastest: float) -> None:
    with pytest.raises(
        EmorecError, match=f"expected 0 < min_speed <= max_speed in .*; found {slowest} and {fastest}"
    ):
        SpeedPerturb(slowest, fastest)
