"""Views of a clip: the clip as it is, and as by another speaker in another room."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from audiomentations.core.transforms_interface import BaseWaveformTransform

RECIPE = 1
"""To be raised when the views change: values of features depend on it."""


def view_of(sound: NDArray[np.float32], number: int, digest: str, rate_hz: int) -> NDArray[np.float32]:
    """A view of a clip, the same on every machine.

    Views 1 to 5 are slower, faster, in noise, slower in noise and faster in noise; then they begin anew with
    other draws. Loudness is left alone: it carries emotion.

    Args:
        sound: (time,) samples.
        number: 0 is the clip as it is.
        digest: Of the clip's content; with `number` it settles every draw.
        rate_hz: Rate of the samples.

    Returns:
        (time',) samples.
    """
    if number == 0:
        return sound
    from lightning_emorec.augment import augment, draw_seed

    chains = _chains()
    return augment(sound, chains[(number - 1) % len(chains)], rate_hz, draw_seed(0, number, digest))


@cache
def _chains() -> tuple[tuple[BaseWaveformTransform, ...], ...]:
    from audiomentations import AddGaussianSNR  # here, since it imports librosa, which takes seconds

    from lightning_emorec.augment import SpeedPerturb

    slower, faster = SpeedPerturb(0.85, 0.95, p=1.0), SpeedPerturb(1.05, 1.15, p=1.0)
    noise = AddGaussianSNR(min_snr_db=10.0, max_snr_db=25.0, p=1.0)
    return (slower,), (faster,), (noise,), (slower, noise), (faster, noise)
