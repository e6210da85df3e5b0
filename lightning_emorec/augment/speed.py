"""Speed perturbation."""

from __future__ import annotations

import random

import numpy as np
import soxr
from audiomentations.core.transforms_interface import BaseWaveformTransform
from numpy.typing import NDArray

from lightning_emorec.errors import EmorecError


class SpeedPerturb(BaseWaveformTransform):  # type: ignore[misc] # audiomentations has no types
    """Resamples, so that tempo and pitch change together, as with another speaker.

    From Ko et al. 2015, "Audio augmentation for speech recognition". About 0.7 ms for 3 s of audio, where
    `TimeStretch` and `PitchShift` take 10 to 17. A tenth faster is 1.65 semitones higher: speakers of one sex
    differ by more, and a strong emotion moves a voice by several times as much.

    Args:
        min_speed: Slowest speed; 0.9 lengthens a clip by a ninth.
        max_speed: Fastest speed.
        p: Probability of applying the transform.

    Raises:
        EmorecError: Speeds that are not 0 < min_speed <= max_speed.
    """

    def __init__(self, min_speed: float = 0.9, max_speed: float = 1.1, p: float = 0.5) -> None:
        super().__init__(p)
        if not 0 < min_speed <= max_speed:
            raise EmorecError(
                "0 < min_speed <= max_speed in SpeedPerturb",
                f"{min_speed} and {max_speed}",
                "correct data.augment",
            )
        self.min_speed = min_speed
        self.max_speed = max_speed

    def randomize_parameters(self, samples: NDArray[np.float32], sample_rate: int) -> None:
        """Draw whether to apply, and the speed."""
        super().randomize_parameters(samples, sample_rate)
        if self.parameters["should_apply"]:
            self.parameters["speed"] = random.uniform(self.min_speed, self.max_speed)

    def apply(self, samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
        """Resample (time,) to (time / speed,)."""
        changed: NDArray[np.float32] = soxr.resample(samples, self.parameters["speed"], 1.0)
        return changed
