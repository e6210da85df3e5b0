"""The file names of RAVDESS, `03-01-EE-II-SS-RR-AA`, read and written in one place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Tasks

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
INTENSITIES = ("normal", "strong")
SEXES = ("male", "female")
SUFFIXES = frozenset({".wav", ".flac"})

_AUDIO_ONLY, _SPEECH = 3, 1
_NAME = re.compile(r"\d\d(?:-\d\d){6}", re.ASCII)


def ravdess_tasks() -> Tasks:
    """What such a name labels, the task a run is judged by first."""
    return {"emotion": list(EMOTIONS), "intensity": list(INTENSITIES), "sex": list(SEXES)}


@dataclass(frozen=True)
class RavdessName:
    """What the stem of a file says about its clip.

    Attributes:
        emotion: One of `EMOTIONS`.
        intensity: One of `INTENSITIES`.
        statement: Number of the sentence, from 1.
        repetition: From 1.
        actor: From 1; odd numbers are men.
        is_speech: False for song and for files taken from the videos.
    """

    emotion: str
    intensity: str
    statement: int
    repetition: int
    actor: int
    is_speech: bool = True

    @classmethod
    def parse(cls, path: Path) -> RavdessName:
        """Read the name of a file of the published corpus.

        Raises:
            EmorecError: The name has another form or a number out of its range, or it names another actor
                than the folder `Actor_AA` it lies in.
        """
        numbers = [int(part) for part in path.stem.split("-")] if _NAME.fullmatch(path.stem) else []
        highest = (3, 2, len(EMOTIONS), len(INTENSITIES), 2, 2, 24)
        if not numbers or not all(1 <= n <= top for n, top in zip(numbers, highest, strict=True)):
            raise EmorecError(
                "a file name of RAVDESS such as 03-01-05-02-01-01-12.wav, its numbers at most "
                + "-".join(f"{top:02d}" for top in highest),
                str(path),
                "rename the file, or move it out of the corpus folder",
            )
        modality, channel, emotion, intensity, statement, repetition, actor = numbers
        _check_folder(path, actor)
        return cls(
            EMOTIONS[emotion - 1],
            INTENSITIES[intensity - 1],
            statement,
            repetition,
            actor,
            is_speech=(modality, channel) == (_AUDIO_ONLY, _SPEECH),
        )

    @property
    def stem(self) -> str:
        """The file name without its suffix."""
        numbers = (
            _AUDIO_ONLY,
            _SPEECH,
            EMOTIONS.index(self.emotion) + 1,
            INTENSITIES.index(self.intensity) + 1,
            self.statement,
            self.repetition,
            self.actor,
        )
        return "-".join(f"{n:02d}" for n in numbers)

    @property
    def sex(self) -> str:
        """`male` for odd actors, `female` for even ones."""
        return SEXES[(self.actor - 1) % 2]

    @property
    def labels(self) -> dict[str, str]:
        """Task name -> class name."""
        return {"emotion": self.emotion, "intensity": self.intensity, "sex": self.sex}


def _check_folder(path: Path, actor: int) -> None:
    """A clip in another actor's folder was misnamed: its speaker would leak between the parts of a split."""
    folder = re.fullmatch(r"Actor_(\d+)", path.parent.name)
    if folder and int(folder[1]) != actor:
        raise EmorecError(
            f"clips of actor {int(folder[1])} in the folder {path.parent}",
            f"{path.name}, which names actor {actor}",
            "move or rename the file",
        )
