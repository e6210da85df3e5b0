"""IEMOCAP: ten actors in scripted and improvised dialogues."""

from __future__ import annotations

import os
import re
from pathlib import Path

from lightning_emorec.corpora.corpus import Corpus
from lightning_emorec.corpora.label_names import EmotionMap, Name
from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Clip, Tasks

ROOT_VARIABLE = "EMOREC_IEMOCAP_ROOT"

_EMOTIONS = {
    "neu": "neutral",
    "hap": "happy",
    "exc": "excited",
    "sad": "sad",
    "ang": "angry",
    "fru": "frustrated",
    "fea": "fearful",
    "sur": "surprised",
    "dis": "disgust",
    "oth": "other",
}
_NO_AGREEMENT = "xxx"
_SEXES = {"F": "female", "M": "male"}
_TASKS: Tasks = {"emotion": list(_EMOTIONS.values()), "sex": ["male", "female"]}

# [6.2901 - 8.2357]	Ses01F_impro01_F000	neu	[2.5000, 2.5000, 2.5000]
_TURN = re.compile(r"\[[\d.]+ - [\d.]+\]\s+((Ses\d\d)[FM]_\w+_([FM])\w*\d+)\s+([a-z]{3})\s")
# Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
_SAID = re.compile(r"(Ses\w+) \[[\d.]+-[\d.]+\]:\s*(.*)")


class Iemocap(Corpus):
    """IEMOCAP (Busso et al. 2008), the release with the folders `Session1` to `Session5`.

    A clip is a turn: its sound is below `sentences/wav`, its emotion, on which a majority of the annotators agreed, is
    in `dialog/EmoEvaluation`, its text in `dialog/transcriptions`. Turns without agreement (xxx) are left out.
    Actors are named as `Ses01F`: the letter at the start of a turn's last part says who of the two speaks, not that of
    the file, which says who wore the markers.

    Args:
        root: Folder of the sessions; None is the environment variable EMOREC_IEMOCAP_ROOT, or else `data/iemocap`.
        labels: Emotion as published -> another name, which several may share; null leaves its clips out.

    Raises:
        EmorecError: Labels that cannot be.
    """

    def __init__(self, root: str | None = None, labels: dict[Name, Name] | None = None) -> None:
        self.root = Path(root or os.environ.get(ROOT_VARIABLE) or "data/iemocap").expanduser()
        self._emotions = EmotionMap(labels, _TASKS)

    @property
    def tasks(self) -> Tasks:
        """Emotion (10 classes, unless `labels` maps them) and sex."""
        return self._emotions.tasks

    def clips(self) -> list[Clip]:
        """List the turns, sorted by id, e.g. `Ses01F_impro01_F000`.

        Raises:
            EmorecError: No turns, or an emotion that IEMOCAP does not have.
        """
        transcriptions = self.root.glob("Session*/dialog/transcriptions/Ses*.txt")
        matches = [_SAID.match(line) for file in transcriptions for line in _lines(file)]
        said = {match[1]: match[2] for match in matches if match}
        clips = [
            clip
            for file in sorted(self.root.glob("Session*/dialog/EmoEvaluation/Ses*.txt"))
            for clip in _turns(file, said)
        ]
        if not clips:
            expected = (
                f"turns in {self.root / 'Session1/dialog/EmoEvaluation/Ses01F_impro01.txt'} and its like"
            )
            found = "none" if self.root.is_dir() else f"no folder {self.root}"
            raise EmorecError(expected, found, f"set --data.corpus.root or {ROOT_VARIABLE}")
        return self._emotions.clips(sorted(clips, key=lambda clip: clip.id))


def _turns(file: Path, said: dict[str, str]) -> list[Clip]:
    """The turns of a dialogue on whose emotion annotators agreed."""
    wav = file.parents[2] / "sentences" / "wav" / file.stem
    clips = []
    for match in filter(None, map(_TURN.match, _lines(file))):
        turn, session, letter, code = match.groups()
        if code == _NO_AGREEMENT:
            continue
        if code not in _EMOTIONS:
            expected = f"one of the emotions {', '.join(_EMOTIONS)}, {_NO_AGREEMENT}"
            raise EmorecError(expected, f"{code} of {turn} in {file}", "take IEMOCAP's own file")
        labels = {"emotion": _EMOTIONS[code], "sex": _SEXES[letter]}
        clips.append(Clip(turn, f"{session}{letter}", wav / f"{turn}.wav", labels, said.get(turn)))
    return clips


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="replace").splitlines()
