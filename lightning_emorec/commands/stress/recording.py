"""The input of a degradation: a clip's audio, and voices of other actors for babble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.audio import AudioStore, sounds_of
from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Clip

Sound = NDArray[np.float32]
"""(time,) samples."""

MOST_VOICES = 6


class Voices:
    """Clips of many actors, from which babble is made; clips without audio are left out."""

    def __init__(self, clips: Sequence[Clip], audio: AudioStore) -> None:
        self._audio = audio
        self._clips: dict[str, list[Clip]] = {}  # actor -> clips with audio
        for clip in clips:
            if clip.path is not None:
                self._clips.setdefault(clip.actor, []).append(clip)

    def choose(self, clip: Clip, draw: np.random.Generator, most: int = MOST_VOICES) -> list[Clip]:
        """Draw one clip each of other actors, of no more than `most`."""
        others = [actor for actor in self._clips if actor != clip.actor]
        if not others:
            found = f"none but {clip.actor}'s own, for clip {clip.id}"
            raise EmorecError("training clips of another actor", found, "leave babble out of --conditions")
        actors = draw.choice(others, size=min(most, len(others)), replace=False)
        return [self._clips[actor][draw.integers(len(self._clips[actor]))] for actor in actors]

    def load(self, clip: Clip, rate_hz: int) -> Sound:
        """(time,) samples of one of the clips."""
        (sound,) = sounds_of([clip])
        return self._audio.at(rate_hz).load(sound)


@dataclass(frozen=True)
class Recording:
    """One clip to degrade.

    Attributes:
        audio: (time,) samples, finite, at least one; not modified by degradations.
        rate_hz: Sample rate.
        clip: The clip.
        seed: Determines every random draw.
        voices: Clips for babble.
    """

    audio: Sound
    rate_hz: int
    clip: Clip
    seed: int
    voices: Voices


def rms(audio: Sound) -> float:
    """Root mean square of (time,) samples."""
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))
