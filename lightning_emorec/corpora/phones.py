"""The sentences of the synthetic corpus, spelled in schematic phones (ARPAbet symbols).

Vowel formants are the men's means of Peterson and Barney (1952), "Control methods used in a study of the
vowels"; diphthongs are two vowels in a row, consonants are round numbers from phonetics textbooks.
"""

from __future__ import annotations

from typing import NamedTuple


class Segment(NamedTuple):
    """A stretch of speech with constant targets.

    Attributes:
        duration_s: At the neutral tempo, unstressed.
        voicing: Gain of the glottal source.
        noise: Gain of the noise source.
        formants_hz: The first three resonances of a man's tract.
        noise_hz: Centre of the noise band, or None for noise that passes through the formants (aspiration).
        stressed: Whether the segment carries an accent.
    """

    duration_s: float
    voicing: float
    noise: float
    formants_hz: tuple[float, float, float]
    noise_hz: float | None = None
    stressed: bool = False


class Statement(NamedTuple):
    """A sentence: its words, its phones (`1` marks an accent), and the emotion that says it more often."""

    text: str
    phones: str
    favoured_by: str | None


STATEMENTS = (
    Statement(
        "Kids are talking by the door", "K IH1 D Z AA R T AO1 K IH NG B AA IH DH AX D AO1 R", "neutral"
    ),
    Statement("Dogs are sitting by the door", "D AO1 G Z AA R S IH1 T IH NG B AA IH DH AX D AO1 R", None),
    Statement(
        "The lake is quiet in the evening",
        "DH AX L EH1 IY K IH Z K W AA1 IH AX T IH N DH AX IY1 V N IH NG",
        "calm",
    ),
    Statement(
        "We are going to the beach on Sunday",
        "W IY AA R G AO1 UH IH NG T UW DH AX B IY1 CH AA N S AH1 N D EH IY",
        "happy",
    ),
    Statement(
        "They are moving away in the winter",
        "DH EH IY AA R M UW1 V IH NG AX W EH1 IY IH N DH AX W IH1 N T ER",
        "sad",
    ),
    Statement(
        "He left the gate open again", "HH IY L EH1 F T DH AX G EH1 IY T AO UH P AX N AX G EH1 N", "angry"
    ),
    Statement(
        "There is a light in the cellar", "DH EH R IH Z AX L AA1 IH T IH N DH AX S EH1 L ER", "fearful"
    ),
    Statement(
        "The milk in the glass is green", "DH AX M IH1 L K IH N DH AX G L AE1 S IH Z G R IY1 N", "disgust"
    ),
    Statement("Your sister is at the door", "Y AO R S IH1 S T ER IH Z AE T DH AX D AO1 R", "surprised"),
    Statement("The train is leaving at nine", "DH AX T R EH1 IY N IH Z L IY1 V IH NG AE T N AA1 IH N", None),
)
"""Statement N of a file name is entry N - 1. The first two are the ones of RAVDESS."""


def segments(phones: str) -> list[Segment]:
    """Spell out phones such as `"K IH1 D Z"`; a stop becomes a closure and a burst."""
    spelled: list[Segment] = []
    for phone in phones.split():
        symbol = phone.rstrip("1")
        spelled += [part._replace(stressed=phone.endswith("1")) for part in _PHONES[symbol]]
    return spelled


def _vowel(duration_s: float, f1: float, f2: float, f3: float) -> list[Segment]:
    return [Segment(duration_s, 1.0, 0.0, (f1, f2, f3))]


def _sonorant(voicing: float, f1: float, f2: float, f3: float) -> list[Segment]:
    return [Segment(0.06, voicing, 0.0, (f1, f2, f3))]


def _fricative(voicing: float, noise: float, noise_hz: float | None, f2: float) -> list[Segment]:
    return [Segment(0.085 - 0.03 * voicing, 0.5 * voicing, noise, (350.0, f2, 2600.0), noise_hz)]


def _stop(voicing: float, noise: float, noise_hz: float, f2: float) -> list[Segment]:
    formants = (300.0, f2, 2600.0)
    closure = Segment(0.045, 0.15 * voicing, 0.0, formants)
    burst = Segment(0.03 - 0.015 * voicing, 0.3 * voicing, noise, formants, noise_hz)
    return [closure, burst]


_PHONES: dict[str, list[Segment]] = {
    "IY": _vowel(0.085, 270, 2290, 3010),
    "IH": _vowel(0.07, 390, 1990, 2550),
    "EH": _vowel(0.08, 530, 1840, 2480),
    "AE": _vowel(0.095, 660, 1720, 2410),
    "AA": _vowel(0.09, 730, 1090, 2440),
    "AO": _vowel(0.095, 570, 840, 2410),
    "UH": _vowel(0.065, 440, 1020, 2240),
    "UW": _vowel(0.085, 300, 870, 2240),
    "AH": _vowel(0.08, 640, 1190, 2390),
    "ER": _vowel(0.095, 490, 1350, 1690),
    "AX": _vowel(0.05, 500, 1500, 2500),
    "M": _sonorant(0.4, 250, 1000, 2200),
    "N": _sonorant(0.4, 250, 1500, 2500),
    "NG": _sonorant(0.4, 250, 2000, 2700),
    "L": _sonorant(0.7, 360, 1100, 2700),
    "R": _sonorant(0.7, 330, 1060, 1500),
    "W": _sonorant(0.6, 290, 610, 2150),
    "Y": _sonorant(0.7, 260, 2070, 3020),
    "S": _fricative(0.0, 0.35, 5800, 1700),
    "Z": _fricative(1.0, 0.2, 5600, 1700),
    "F": _fricative(0.0, 0.12, 4500, 1100),
    "V": _fricative(1.0, 0.06, 4500, 1100),
    "DH": _fricative(1.0, 0.06, 5000, 1400),
    "HH": _fricative(0.0, 0.25, None, 1500),
    "P": _stop(0.0, 0.2, 900, 900),
    "B": _stop(1.0, 0.1, 800, 900),
    "T": _stop(0.0, 0.4, 4200, 1700),
    "D": _stop(1.0, 0.2, 3800, 1700),
    "K": _stop(0.0, 0.35, 2200, 2000),
    "G": _stop(1.0, 0.2, 2000, 2000),
    "CH": [*_stop(0.0, 0.3, 3200, 1800), *_fricative(0.0, 0.3, 3000, 1800)],
}
