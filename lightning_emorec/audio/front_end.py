"""What is done to every clip's audio before it is given to a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.audio.shape import center_crop, trim_silence


@dataclass(frozen=True)
class FrontEnd:
    """What is done to every clip's audio, in training and in use alike; it travels with the model.

    Attributes:
        rate_hz: Sampling rate. The store of decoded audio sees to this, and to the channel.
        trim_db: Cut silence at both ends, this far below the loudest frame; None keeps it.
        peak_normalise: Scale each clip to a peak of 1. Off by default: loudness carries emotion.
        max_s: Longer clips are cut to their middle, so that one long file cannot exhaust memory.
        channel: The channel to take of every file, from 0; None leaves the choice to the rule of `choose_channels`.
    """

    rate_hz: int
    trim_db: float | None
    peak_normalise: bool
    max_s: float
    channel: int | None = None

    def __call__(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Trim, scale and cut (time,) audio at `rate_hz`."""
        if self.trim_db is not None:
            audio = trim_silence(audio, self.rate_hz, self.trim_db)
        if self.peak_normalise and (peak := np.abs(audio).max(initial=0.0)) > 0:
            audio = audio / peak
        return center_crop(audio, round(self.max_s * self.rate_hz))
