"""What goes wrong when one records: the level, and the length."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from audiomentations import ClippingDistortion, Gain

from lightning_emorec.augment import augment
from lightning_emorec.commands.stress.degradation import Degradation, Heard, Sound

SILENCE_DB = 30.0  # below the loudest frame
FRAME_S = 0.01


class Clipping(Degradation):
    """Overdriven: so many of the samples, half at either side, are cut to the level that the others reach."""

    name: ClassVar[str] = "clipping"
    title: ClassVar[str] = "Clipping"
    unit: ClassVar[str] = "% of samples"
    severities: ClassVar[tuple[float, ...]] = (2.0, 10.0, 20.0, 40.0)

    def apply(self, heard: Heard, severity: float) -> Sound:
        """Cut the peaks."""
        clip = ClippingDistortion(round(severity), round(severity), p=1.0)
        return augment(heard.audio, [clip], heard.rate_hz, heard.seed)


class Quieter(Degradation):
    """Farther from the microphone, as far as the level goes."""

    name: ClassVar[str] = "quieter"
    title: ClassVar[str] = "Quieter"
    unit: ClassVar[str] = "dB"
    severities: ClassVar[tuple[float, ...]] = (-6.0, -12.0, -20.0, -30.0)

    def apply(self, heard: Heard, severity: float) -> Sound:
        """Scale; nothing is clipped."""
        return augment(heard.audio, [Gain(severity, severity, p=1.0)], heard.rate_hz, heard.seed)


class Louder(Quieter):
    """Nearer to the microphone. Beyond full scale nothing is clipped: that is `Clipping`."""

    name: ClassVar[str] = "louder"
    title: ClassVar[str] = "Louder"
    severities: ClassVar[tuple[float, ...]] = (6.0, 12.0, 20.0, 30.0)


class Truncation(Degradation):
    """Only the beginning: so many seconds from where the speaker starts, the silence before included."""

    name: ClassVar[str] = "truncation"
    title: ClassVar[str] = "Only the first seconds of speech"
    unit: ClassVar[str] = "s"
    severities: ClassVar[tuple[float, ...]] = (2.0, 1.5, 1.0, 0.5, 0.25)

    def apply(self, heard: Heard, severity: float) -> Sound:
        """Cut the end off."""
        return heard.audio[: onset(heard.audio, heard.rate_hz) + max(1, round(severity * heard.rate_hz))]


def onset(audio: Sound, rate_hz: int) -> int:
    """Where the first frame of 10 ms begins that is at most 30 dB below the loudest; 0 in silence."""
    frame = round(FRAME_S * rate_hz)
    frames = audio[: len(audio) // frame * frame].reshape(-1, frame)  # (frames, frame)
    energy = np.einsum("fs,fs->f", frames, frames)
    loud = energy >= energy.max(initial=0.0) * 10 ** (-SILENCE_DB / 10)
    return int(loud.argmax()) * frame if loud.size else 0
