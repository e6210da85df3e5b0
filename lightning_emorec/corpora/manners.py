"""How an actor of the synthetic corpus sounds, and how an emotion changes that."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.corpora.naming import EMOTIONS, INTENSITIES


class Manner(NamedTuple):
    """Departures of one clip from the actor's neutral way of speaking; all 0 is neutral.

    Attributes:
        pitch_st: Mean pitch, semitones.
        accent_st: Height of the pitch accents, semitones.
        final_st: Movement of pitch over the last third, semitones; positive rises.
        tempo: Natural logarithm of the ratio of tempos; positive is faster.
        level_db: Loudness, dB.
        tilt_db: Slope of the voice's spectrum, dB an octave; positive is brighter, a tense voice.
        breath_db: Level of the breath noise, dB.
        rough: Natural logarithm of the ratio of jitter and shimmer.
        tremor_st: Depth of a 6 Hz tremor of pitch, semitones.
    """

    pitch_st: float
    accent_st: float
    final_st: float
    tempo: float
    level_db: float
    tilt_db: float
    breath_db: float
    rough: float
    tremor_st: float


class Voice(NamedTuple):
    """What stays of an actor from clip to clip.

    Attributes:
        pitch_hz: Mean pitch of neutral speech.
        tract: Ratio of the formants to a man's mean; a shorter tract is above 1.
        habit: (len(Manner._fields),) this actor's standing departure from the average speaker.
        acting: (len(EMOTIONS), len(Manner._fields)) how this actor plays each emotion beside `_PROTOTYPES`.
    """

    pitch_hz: float
    tract: float
    habit: NDArray[np.float64]
    acting: NDArray[np.float64]


_PROTOTYPES = {
    #               pitch accent final  tempo level  tilt breath rough tremor
    "neutral": Manner(0.0, 0.0, 0.0, 0.00, 0.0, 0.0, 0.0, 0.0, 0.0),
    "calm": Manner(-1.0, -0.8, -0.5, -0.12, -3.0, -1.2, 3.0, -0.2, 0.0),
    "happy": Manner(4.0, 2.5, 1.0, 0.07, 4.0, 1.2, 0.0, 0.0, 0.0),
    "sad": Manner(-0.5, -1.3, -2.0, -0.20, -5.0, -2.0, 6.0, 0.4, 0.15),
    "angry": Manner(3.0, 1.5, -2.0, 0.10, 7.0, 2.8, -2.0, 0.7, 0.0),
    "fearful": Manner(5.0, -0.8, 1.0, 0.18, 1.0, 0.5, 4.0, 0.5, 0.60),
    "disgust": Manner(-1.0, 0.8, -2.5, -0.13, 0.0, 0.6, 1.0, 0.8, 0.0),
    "surprised": Manner(5.0, 3.0, 6.0, 0.00, 3.0, 0.5, 1.0, -0.1, 0.0),
}
"""Signs and order after Banse and Scherer (1996) and Juslin and Laukka (2003); the sizes are our choice."""

_STRENGTH = dict(zip(INTENSITIES, (0.9, 1.4), strict=True))
_STRONG_LEVEL_DB = 2.0  # a strong rendition is louder whatever the emotion, even sadness

# Standard deviations, in the order of Manner. They set how hard the corpus is: actors who play an emotion
# their own way cannot be learned from other actors, and takes that vary overlap.
_HABIT_SD = np.array([0.0, 0.6, 0.6, 0.05, 2.0, 0.7, 2.0, 0.25, 0.03])
_ACTING_SD = np.array([0.6, 0.4, 0.6, 0.035, 0.8, 0.35, 0.8, 0.15, 0.05])
_TAKE_SD = np.array([0.6, 0.4, 0.6, 0.035, 0.8, 0.35, 0.8, 0.15, 0.05])

_PITCH_HZ = {"male": 118.0, "female": 205.0}
_TRACT = {"male": 1.0, "female": 1.15}


def draw_voice(sex: str, rng: np.random.Generator) -> Voice:
    """Draw an actor: pitch and tract by sex, then habits and a way of acting."""
    pitch_hz = _PITCH_HZ[sex] * math.exp(rng.normal(0.0, 0.1))
    tract = _TRACT[sex] * math.exp(rng.normal(0.0, 0.035))
    habit = rng.normal(0.0, _HABIT_SD)
    acting = rng.normal(0.0, np.tile(_ACTING_SD, (len(EMOTIONS), 1)))
    return Voice(pitch_hz, tract, habit, acting)


def draw_manner(voice: Voice, emotion: str, intensity: str, rng: np.random.Generator) -> Manner:
    """Draw how an actor says one take of an emotion."""
    played = np.array(_PROTOTYPES[emotion]) + voice.acting[EMOTIONS.index(emotion)]
    drawn = voice.habit + _STRENGTH[intensity] * played + rng.normal(0.0, _TAKE_SD)
    manner = Manner(*(float(value) for value in drawn))
    if intensity == "strong":
        manner = manner._replace(level_db=manner.level_db + _STRONG_LEVEL_DB)
    return manner._replace(tremor_st=max(manner.tremor_st, 0.0))
