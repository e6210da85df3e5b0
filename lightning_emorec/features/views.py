"""Views of a clip: the clip as it is, and as another speaker in another room might have said it."""

from __future__ import annotations

import numpy as np
from audiomentations import AddGaussianSNR
from audiomentations.core.transforms_interface import BaseWaveformTransform
from numpy.typing import NDArray

from lightning_emorec.augment import SpeedPerturb, augment, draw_seed

RECIPE = 1
"""To be raised when the views change: values of features depend on it."""

_SLOWER = SpeedPerturb(0.85, 0.95, p=1.0)
_FASTER = SpeedPerturb(1.05, 1.15, p=1.0)
_NOISE = AddGaussianSNR(min_snr_db=10.0, max_snr_db=25.0, p=1.0)
_CHAINS: tuple[tuple[BaseWaveformTransform, ...], ...] = (
    (_SLOWER,),
    (_FASTER,),
    (_NOISE,),
    (_SLOWER, _NOISE),
    (_FASTER, _NOISE),
)


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
    chain = _CHAINS[(number - 1) % len(_CHAINS)]
    return augment(sound, chain, rate_hz, draw_seed(0, number, digest))
