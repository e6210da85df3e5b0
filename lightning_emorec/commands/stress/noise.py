"""Noise that lies over a clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from audiomentations import AddGaussianSNR

from lightning_emorec.audio import AudioStore, trim_silence
from lightning_emorec.augment import augment
from lightning_emorec.commands.stress.degradation import Degradation, Heard, Sound, rms
from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Clip

SNRS_DB = (30.0, 20.0, 15.0, 10.0, 5.0, 0.0, -5.0)
VOICES = 6
SILENCE_DB = 30.0  # below the loudest frame: what is cut off the ends of a voice of the babble


class WhiteNoise(Degradation):
    """Gaussian noise, at a ratio to the energy of the whole clip."""

    name: ClassVar[str] = "white"
    title: ClassVar[str] = "White noise"
    unit: ClassVar[str] = "dB SNR"
    severities: ClassVar[tuple[float, ...]] = SNRS_DB

    def apply(self, heard: Heard, severity: float) -> Sound:
        """Add noise; the same at each severity but for its level."""
        noise = AddGaussianSNR(severity, severity, p=1.0)
        return augment(heard.audio, [noise], heard.rate_hz, heard.seed)


class Babble(Degradation):
    """Up to six people who talk at once: training clips of other actors than the one heard, each as loud.

    Args:
        voices: Clips that the babble is made from.
        audio: Where their audio is.
    """

    name: ClassVar[str] = "babble"
    title: ClassVar[str] = "Other voices (babble)"
    unit: ClassVar[str] = "dB SNR"
    severities: ClassVar[tuple[float, ...]] = SNRS_DB

    def __init__(self, voices: Sequence[Clip], audio: AudioStore) -> None:
        self.audio = audio
        self._clips: dict[str, list[Clip]] = {}  # actor -> clips that can be heard
        for clip in voices:
            if clip.path is not None:
                self._clips.setdefault(clip.actor, []).append(clip)

    def apply(self, heard: Heard, severity: float) -> Sound:
        """Add babble; the same at each severity but for its level.

        Raises:
            EmorecError: All voices are the clip's own actor's.
        """
        draw = np.random.default_rng(heard.seed)
        store = self.audio.at(heard.rate_hz)
        noise = np.zeros(len(heard.audio), dtype=np.float32)
        for clip in self.choose(heard.clip, draw):
            if clip.path is not None:
                noise += _excerpt(store.load(clip.path), heard.rate_hz, len(noise), draw)
        return add_at_snr(heard.audio, noise, severity)

    def choose(self, clip: Clip, draw: np.random.Generator) -> list[Clip]:
        """One clip each of some actors, never of the clip's own.

        Raises:
            EmorecError: There is no other actor.
        """
        others = [actor for actor in self._clips if actor != clip.actor]
        if not others:
            found = f"none but {clip.actor}'s own, for clip {clip.id}"
            raise EmorecError("training clips of another actor", found, "leave babble out of --conditions")
        actors = draw.choice(others, size=min(VOICES, len(others)), replace=False)
        return [self._clips[actor][draw.integers(len(self._clips[actor]))] for actor in actors]


def add_at_snr(audio: Sound, noise: Sound, snr_db: float) -> Sound:
    """Add (time,) noise, scaled to a ratio to the energy of `audio`; noise that is silent adds nothing."""
    level = rms(noise)
    if level == 0:
        return audio
    scale = rms(audio) / level / 10 ** (snr_db / 20)
    return np.asarray(audio + np.float32(scale) * noise, dtype=np.float32)


def _excerpt(voice: Sound, rate_hz: int, samples: int, draw: np.random.Generator) -> Sound:
    """(samples,) of a voice without its silent ends, from a random start, over and over, at an RMS of 1."""
    spoken = trim_silence(voice, rate_hz, SILENCE_DB)
    start = int(draw.integers(len(spoken)))
    looped = np.resize(np.roll(spoken, -start), samples)
    level = rms(looped)
    return looped / np.float32(level) if level > 0 else looped
