"""What every degradation does: a clip's audio becomes worse by so much."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.types import Clip

Sound = NDArray[np.float32]
"""(time,) samples."""


@dataclass(frozen=True)
class Heard:
    """One clip that is about to be degraded.

    Attributes:
        audio: (time,) samples, finite, at least one; a degradation leaves them as they are.
        rate_hz: Their rate.
        clip: Whose they are.
        seed: Settles every draw.
    """

    audio: Sound
    rate_hz: int
    clip: Clip
    seed: int


class Degradation(ABC):
    """One way in which recordings are worse than those of a studio.

    Silence stays silence, and what comes out is finite, for audio of any length.
    """

    name: ClassVar[str]
    """In files and on the command line."""

    title: ClassVar[str]
    """What a reader sees, in a few words."""

    unit: ClassVar[str]
    """Of the severities."""

    severities: ClassVar[tuple[float, ...]]
    """The mildest first."""

    @abstractmethod
    def apply(self, heard: Heard, severity: float) -> Sound:
        """(time',) samples of the degraded clip, at its rate."""


def rms(audio: Sound) -> float:
    """Root mean square of (time,) samples."""
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))
