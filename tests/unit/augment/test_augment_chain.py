from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from audiomentations import (
    AddColorNoise,
    AddGaussianSNR,
    BandPassFilter,
    Gain,
    GainTransition,
    PitchShift,
    Shift,
    TimeMask,
    TimeStretch,
)
from audiomentations.core.transforms_interface import BaseWaveformTransform

from lightning_emorec.augment import SpeedPerturb, augment, draw_seed
from lightning_emorec.errors import EmorecError

RATE_HZ = 16_000
AUDIO = np.random.default_rng(0).uniform(-0.5, 0.5, RATE_HZ).astype(np.float32)


class Returns(BaseWaveformTransform):
    """Always gives the same samples."""

    def __init__(self, samples: Sequence[float]) -> None:
        super().__init__(p=1.0)
        self.samples = samples

    def apply(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        return np.array(self.samples)


def chain() -> list[BaseWaveformTransform]:
    return [
        SpeedPerturb(),
        TimeStretch(leave_length_unchanged=False),
        PitchShift(),
        Gain(),
        GainTransition(),
        Shift(),
        TimeMask(),
        BandPassFilter(),
        AddGaussianSNR(),
        AddColorNoise(),
    ]


def test_the_same_seed_gives_the_same_draw() -> None:
    for seed in range(5):
        np.testing.assert_array_equal(
            augment(AUDIO, chain(), RATE_HZ, seed), augment(AUDIO, chain(), RATE_HZ, seed)
        )


def test_a_draw_does_not_depend_on_what_ran_before() -> None:
    fresh = [augment(AUDIO, chain(), RATE_HZ, seed) for seed in range(8)]
    used = chain()
    for seed in reversed(range(8)):
        random.seed(seed + 100)
        np.random.seed(seed + 200)
        augment(AUDIO[: RATE_HZ // 2], used, 8000, seed + 300)
        np.testing.assert_array_equal(augment(AUDIO, used, RATE_HZ, seed), fresh[seed])


def test_another_seed_gives_another_draw() -> None:
    draws = {augment(AUDIO, [AddGaussianSNR(p=1.0)], RATE_HZ, seed).tobytes() for seed in range(20)}
    assert len(draws) == 20


def test_the_global_generators_go_on_as_if_nothing_had_been_drawn() -> None:
    random.seed(1)
    np.random.seed(2)
    expected = random.random(), np.random.random()
    random.seed(1)
    np.random.seed(2)
    augment(AUDIO, chain(), RATE_HZ, 3)
    assert (random.random(), np.random.random()) == expected


def test_the_global_generators_are_restored_after_an_error() -> None:
    random.seed(1)
    expected = random.random()
    random.seed(1)
    with pytest.raises(EmorecError):
        augment(AUDIO, [AddGaussianSNR(p=1.0), Returns([np.nan])], RATE_HZ, 3)
    assert random.random() == expected


def test_the_audio_given_is_left_as_it_is() -> None:
    before = AUDIO.copy()
    augment(AUDIO, [GainTransition(p=1.0), Shift(p=1.0), Gain(p=1.0)], RATE_HZ, 0)
    np.testing.assert_array_equal(AUDIO, before)


def test_transforms_apply_in_their_order() -> None:
    assert augment(AUDIO, [Returns([0.5]), Gain(-20, -20, p=1.0)], RATE_HZ, 0) == pytest.approx([0.05])
    assert augment(AUDIO, [Gain(-20, -20, p=1.0), Returns([0.5])], RATE_HZ, 0) == pytest.approx([0.5])


def test_no_transforms_change_nothing() -> None:
    np.testing.assert_array_equal(augment(AUDIO, [], RATE_HZ, 0), AUDIO)


def test_the_result_is_float32() -> None:
    assert augment(AUDIO, [Returns([0.1, 0.2])], RATE_HZ, 0).dtype == np.float32


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
@pytest.mark.filterwarnings("ignore:overflow")
def test_samples_that_are_no_numbers_name_the_transform(bad: float) -> None:
    with pytest.raises(EmorecError, match=r"found NaN or infinite samples from Returns\("):
        augment(AUDIO, [Gain(p=1.0), Returns([0.0, bad])], RATE_HZ, 0)


def test_a_transform_that_leaves_no_samples_is_named() -> None:
    with pytest.raises(EmorecError, match=r"found no samples from Returns\("):
        augment(AUDIO, [Returns([])], RATE_HZ, 0)


def test_noise_on_silence_is_finite() -> None:
    silence = np.zeros(RATE_HZ, np.float32)
    assert np.isfinite(augment(silence, [AddGaussianSNR(p=1.0), SpeedPerturb(p=1.0)], RATE_HZ, 0)).all()


def test_the_seed_of_a_clip_is_the_same_on_every_machine() -> None:
    # printf 1/2/03-01-05-01-02-01-16 | b2sum -l 32
    assert draw_seed(1, 2, "03-01-05-01-02-01-16") == 4_254_797_891


def test_run_epoch_and_clip_each_change_the_seed() -> None:
    seeds = {
        draw_seed(run, epoch, clip)
        for run in (0, 1, 11)
        for epoch in (0, 1, 11)
        for clip in ("a", "1/a", "b")
    }
    assert len(seeds) == 27
    assert all(0 <= seed < 2**32 for seed in seeds)
