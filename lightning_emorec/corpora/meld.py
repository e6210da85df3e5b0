"""MELD: utterances of the series Friends, in dialogues."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lightning_emorec.corpora.corpus import Corpus
from lightning_emorec.corpora.label_names import EmotionMap, Name
from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Clip, Part, Tasks

ROOT_VARIABLE = "EMOREC_MELD_ROOT"
SEPARATOR = "[SEP]"

Row = dict[str, str]

_TASKS: Tasks = {
    "emotion": ["neutral", "joy", "sadness", "anger", "surprise", "fear", "disgust"],
    "sentiment": ["negative", "neutral", "positive"],
}
_PUBLISHED: dict[Part, str] = {"train": "train", "val": "dev", "test": "test"}
_COLUMNS = ("Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID")
_SUFFIXES = {".wav", ".flac", ".mp3", ".ogg"}

# The published files have bytes of Windows' code page 1252 among their UTF-8: \x92 for ’, \x85 for … and so on.
_REPAIRS = {code: bytes([code]).decode("cp1252", errors="ignore") for code in range(0x80, 0xA0)} | {0xA0: " "}


class Meld(Corpus):
    """MELD (Poria et al. 2019): `train_sent_emo.csv`, `dev_sent_emo.csv` and `test_sent_emo.csv`.

    Actors are the speakers; the main ones are in all published parts.

    Args:
        root: Folder of the three files; None is the environment variable EMOREC_MELD_ROOT, or else `data/meld`.
        audio: Folder with `train`, `dev` and `test`, and in them, at any depth, `dia0_utt0.wav` (or .flac,
            .mp3, .ogg) and so on, as MELD names its videos; MELD itself lacks some. None makes this a corpus of
            text.
        context_turns: How many utterances that went before in the dialogue, by anyone, are put before a clip's
            own text, each followed by [SEP].
        labels: Emotion as published -> another name, which several may share; null leaves its clips out.

    Raises:
        EmorecError: A negative `context_turns`, or labels that cannot be.
    """

    def __init__(
        self,
        root: str | None = None,
        audio: str | None = None,
        context_turns: int = 0,
        labels: dict[Name, Name] | None = None,
    ) -> None:
        if context_turns < 0:
            raise EmorecError(
                "context_turns of 0 or more", f"{context_turns}", "set data.corpus.context_turns"
            )
        self.root = Path(root or os.environ.get(ROOT_VARIABLE) or "data/meld").expanduser()
        self.audio = Path(audio).expanduser() if audio else None
        self.context_turns = context_turns
        self._emotions = EmotionMap(labels, _TASKS)

    @property
    def tasks(self) -> Tasks:
        """Emotion (7 classes, unless `labels` maps them) and sentiment (3)."""
        return self._emotions.tasks

    def clips(self) -> list[Clip]:
        """List the utterances, sorted by id, e.g. `train_dia0_utt0`.

        Raises:
            EmorecError: A file is absent or no CSV, lacks a column, has an unknown label or an utterance twice,
                or no utterance has audio where there should be some.
        """
        clips = [clip for part in _PUBLISHED for clip in self._part(part)]
        if self.audio is not None and all(clip.path is None for clip in clips):
            expected = f"files such as train/dia0_utt0.wav in {self.audio}"
            raise EmorecError(expected, "none", "set --data.corpus.audio, or null")
        return sorted(self._emotions.clips(clips), key=lambda clip: clip.id)

    def _part(self, part: Part) -> list[Clip]:
        """The utterances of a part, each with its context; no dialogue is in two parts."""
        name = _PUBLISHED[part]
        path = self.root / f"{name}_sent_emo.csv"
        sounds = _sounds(self.audio / name) if self.audio else {}
        dialogues: dict[int, dict[int, Clip]] = {}
        for number, row in _rows(path):
            dialogue, turn = _position(path, number, row)
            turns = dialogues.setdefault(dialogue, {})
            video = f"dia{dialogue}_utt{turn}"
            if turn in turns:
                raise _bad_row(path, number, "each utterance once", f"{video} again")
            labels = _labels(path, number, row)
            turns[turn] = Clip(
                f"{name}_{video}", row["Speaker"], sounds.get(video), labels, row["Utterance"], part
            )
        return [clip for turns in dialogues.values() for clip in self._in_context(turns)]

    def _in_context(self, turns: dict[int, Clip]) -> Iterator[Clip]:
        """The utterances of a dialogue, in order, with the texts of earlier ones before their own."""
        clips = [turns[turn] for turn in sorted(turns)]
        for place, clip in enumerate(clips):
            said = clips[max(0, place - self.context_turns) : place + 1]
            yield replace(clip, text=f" {SEPARATOR} ".join(before.text or "" for before in said))


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield (row number, column -> repaired text); the header is row 1."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EmorecError(
            "MELD's three *_sent_emo.csv (github.com/declare-lab/MELD, data/MELD)",
            f"{path}: {error.strerror}",
            f"set --data.corpus.root or {ROOT_VARIABLE}",
        ) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    if missing := [column for column in _COLUMNS if column not in (reader.fieldnames or [])]:
        found = ", ".join(reader.fieldnames or []) or "nothing"
        raise EmorecError(f"the column {', '.join(missing)} in {path}", found, "take MELD's own file")
    try:
        for number, row in enumerate(reader, start=2):
            if any(row[column] is None for column in _COLUMNS):
                raise _bad_row(path, number, "a value in each column", "fewer")
            yield number, {column: _repaired(row[column]) for column in _COLUMNS}
    except csv.Error as error:
        raise EmorecError("a CSV file", f"{path}: {error}", "take MELD's own file") from error


def _repaired(text: str) -> str:
    return " ".join(text.translate(_REPAIRS).split())


def _position(path: Path, number: int, row: Row) -> tuple[int, int]:
    try:
        return int(row["Dialogue_ID"]), int(row["Utterance_ID"])
    except ValueError as error:
        raise _bad_row(path, number, "numbers as Dialogue_ID and Utterance_ID", str(error)) from error


def _labels(path: Path, number: int, row: Row) -> dict[str, str]:
    labels = {"emotion": row["Emotion"].lower(), "sentiment": row["Sentiment"].lower()}
    for task, label in labels.items():
        if label not in _TASKS[task]:
            raise _bad_row(path, number, f"{task} to be one of {', '.join(_TASKS[task])}", repr(label))
    return labels


def _bad_row(path: Path, number: int, expected: str, found: str) -> EmorecError:
    return EmorecError(
        expected, f"{found} in row {number} of {path}", "mend the row, or take MELD's own file"
    )


def _sounds(folder: Path) -> dict[str, Path]:
    """Name without suffix -> file, at any depth."""
    return {path.stem: path for path in sorted(folder.rglob("dia*_utt*")) if path.suffix.lower() in _SUFFIXES}
