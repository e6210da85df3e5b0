"""A room around the speaker."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.signal import fftconvolve

from lightning_emorec.commands.stress.degradation import Degradation, Heard, Sound, rms

DECAY = 3 * np.log(10.0)  # after RT60 seconds the amplitude is a thousandth: 60 dB


class Reverberation(Degradation):
    """A synthetic room: the direct sound, and a tail of noise that decays by 60 dB in the time given (RT60).

    After Polack 1988. The tail has the energy of the direct sound, as at the distance where a room begins to
    prevail. Direct sound comes first and the result is scaled to the clip's level, so that length, onset and
    loudness stay.
    """

    name: ClassVar[str] = "reverberation"
    title: ClassVar[str] = "Reverberation"
    unit: ClassVar[str] = "s RT60"
    severities: ClassVar[tuple[float, ...]] = (0.3, 0.6, 1.0)

    def apply(self, heard: Heard, severity: float) -> Sound:
        """Convolve with the room."""
        room = impulse_response(heard.rate_hz, severity, heard.seed)
        wet = fftconvolve(heard.audio.astype(np.float64), room)[: len(heard.audio)]
        level = rms(wet)
        if level == 0:
            return heard.audio
        return np.asarray(wet * (rms(heard.audio) / level), dtype=np.float32)


def impulse_response(rate_hz: int, rt60_s: float, seed: int) -> Sound:
    """(1 + RT60 in samples,): the direct sound, 1, and the tail, of energy 1."""
    time_s = np.arange(1, 1 + round(rt60_s * rate_hz)) / rate_hz
    tail = np.random.default_rng(seed).standard_normal(len(time_s)) * np.exp(-DECAY * time_s / rt60_s)
    return np.concatenate([[1.0], tail / np.linalg.norm(tail)]).astype(np.float32)
