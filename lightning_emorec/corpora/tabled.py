"""Any corpus whose clips are the rows of a table, wherever the table is from."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections import Counter
from pathlib import Path
from typing import get_args

from lightning_emorec.corpora.corpus import Corpus
from lightning_emorec.corpora.label_names import Name, checked_label_map, checked_tasks
from lightning_emorec.corpora.repeats import refuse_repeated_ids, repeated_recordings
from lightning_emorec.errors import EmorecError
from lightning_emorec.speaker_names import NoSpeaker, is_nobody, one_name_each
from lightning_emorec.table import BadRows, Row, Table, Times, did_you_mean, segment_id, times_in
from lightning_emorec.types import Clip, Part, Tasks

_log = logging.getLogger(__name__)

_PARTS: dict[str, Part | None] = {part: part for part in get_args(Part)}
_START, _END = "start", "end"


class TableCorpus(Corpus):
    """Clips that are the rows of a table, which `table` reads: `ManifestCorpus` says what a row is.

    Arguments as in `ManifestCorpus`; `root` is the folder that relative audio paths start from.
    """

    def __init__(
        self,
        root: Path,
        tasks: dict[Name, list[Name]],
        *,
        clip_column: str = "path",
        actor_column: str = "actor",
        text_column: str | None = None,
        id_column: str | None = None,
        part_column: str | None = None,
        label_columns: dict[str, str] | None = None,
        start_column: str | None = _START,
        end_column: str | None = _END,
        no_speaker: NoSpeaker = "refuse",
        labels: dict[Name, Name] | None = None,
        parts: dict[str, Part | None] | None = None,
    ) -> None:
        self._tasks = checked_tasks(tasks)
        if unknown := sorted(set(label_columns or {}) - set(tasks)):
            found = ", ".join(unknown)
            raise EmorecError(
                f"label_columns for {', '.join(tasks)}", found, "set --data.corpus.label_columns"
            )
        self.root = root
        self._clip_column = clip_column
        self._actor_column = actor_column
        self._text_column = text_column
        self._id_column = id_column
        self._part_column = part_column
        self._label_columns = {task: (label_columns or {}).get(task, task) for task in self._tasks}
        self._start_column, self._end_column = start_column, end_column
        self._no_speaker = no_speaker
        self._label_map = checked_label_map(labels or {}, self._tasks)
        self._part_map = {**_PARTS, **(parts or {})}
        self._told: set[str] = set()

    @abstractmethod
    def table(self) -> Table:
        """Read the table.

        Raises:
            EmorecError: It is absent, or cannot be read.
        """

    @property
    def tasks(self) -> Tasks:
        """The tasks as configured."""
        return {task: list(classes) for task, classes in self._tasks.items()}

    def clips(self) -> list[Clip]:
        """List the clips, sorted by id.

        Raises:
            EmorecError: The manifest is absent or lacks a column; rows cannot be read, or have an unknown class or
                part, no speaker or impossible times (all are named at once); two rows have one id; or rows of
                one recording contradict each other.
        """
        table = self.table()
        self._require_columns(table)
        named = (row.get(self._actor_column, "") for _, row in table.rows)
        people, notes = one_name_each(name for name in named if not is_nobody(name))
        bad, passed = BadRows(table.source), Counter[str]()
        read = [(number, self._clip(number, row, people, bad, passed)) for number, row in table.rows]
        bad.refuse()
        clips = [(number, clip) for number, clip in read if clip is not None]
        refuse_repeated_ids(clips, table.source)
        notes += [
            f"{count:,} of {len(read):,} clips of {table.source} {what}" for what, count in passed.items()
        ]
        for note in [*notes, *repeated_recordings(clips, table.source)]:
            if note not in self._told:
                self._told.add(note)
                _log.warning("%s", note)
        if not clips:
            raise EmorecError(
                "at least one clip", f"none that is kept of {table.source}", "change --data.corpus.labels"
            )
        return sorted((clip for _, clip in clips), key=lambda clip: clip.id)

    def _require_columns(self, table: Table) -> None:
        """Those of times may be absent under their usual names."""
        times = [one for one in (self._start_column, self._end_column) if one not in (_START, _END)]
        optional = filter(None, (self._text_column, self._id_column, self._part_column, *times))
        names = "clip_column, actor_column, label_columns, text_column, id_column, part_column"
        wanted = [self._clip_column, self._actor_column, *self._label_columns.values(), *optional]
        table.require(wanted, f"name them with {names}")

    def _clip(
        self, number: int, row: Row, people: dict[str, str], bad: BadRows, passed: Counter[str]
    ) -> Clip | None:
        """The clip of a row, or None if it is left out or `bad`; `passed` counts what is said of other rows."""
        part = row.get(self._part_column, "") if self._part_column else ""
        if self._part_map.get(part, "") is None:
            passed["are left out, as they are of another part"] += 1
            return None
        labels = self._labels(number, row, bad)
        if labels is None:
            passed["are left out by their label"] += 1
            return None
        path, times = self._recording(number, row, bad)
        key = (
            row.get(self._id_column, "")
            if self._id_column
            else segment_id(row.get(self._clip_column, ""), times)
        )
        if self._id_column and not key:
            bad.add(number, f"a value in the column {self._id_column}", "none", "fill it in")
        actor = self._speaker(number, row, key, people, bad, passed)
        if actor is None:
            return None
        text = row.get(self._text_column, "") if self._text_column else None
        return Clip(key, actor, path, labels, text, self._part(number, part, bad), *times)

    def _labels(self, number: int, row: Row, bad: BadRows) -> dict[str, str] | None:
        """Task -> class; None where the map leaves the clip out."""
        labels = {}
        for task, column in self._label_columns.items():
            given = row.get(column, "")
            label = self._label_map.get(given, given)
            if label is None:
                return None
            if label and label not in self._tasks[task]:
                expected = f"{task} to be one of {', '.join(self._tasks[task])}, or empty"
                found = f"{given!r}{did_you_mean(given, self._tasks[task])}"
                bad.add(number, expected, found, "mend the label, add it to tasks, or map it by labels")
            elif label:
                labels[task] = label
        return labels

    def _recording(self, number: int, row: Row, bad: BadRows) -> tuple[Path | None, Times]:
        """The file, and which part of it; no file for a row of text."""
        name = row.get(self._clip_column, "")
        if name:
            times = times_in(row, number, bad, self._start_column or "", self._end_column or "")
            return self.root / Path(name).expanduser(), times
        if not (self._id_column and self._text_column):
            bad.add(number, f"a value in the column {self._clip_column}", "none", "fill it in")
        return None, (None, None)

    def _speaker(
        self, number: int, row: Row, key: str, people: dict[str, str], bad: BadRows, passed: Counter[str]
    ) -> str | None:
        """Who speaks; None where nobody knows and the clip is not kept."""
        name = row.get(self._actor_column, "")
        if not is_nobody(name):
            return people[name]
        if self._no_speaker == "refuse":
            fix = "fill it in, or set --data.corpus.no_speaker to leave_out or each_clip"
            bad.add(
                number, f"a speaker in the column {self._actor_column}", repr(name) if name else "none", fix
            )
            return None
        if self._no_speaker == "leave_out":
            passed["are left out, as they have no speaker"] += 1
            return None
        passed[
            "have no speaker: each is taken for a person of its own, and training and test may share a voice"
        ] += 1
        return f"unknown speaker of {row.get(self._clip_column) or key}"  # segments of a file share theirs

    def _part(self, number: int, found: str, bad: BadRows) -> Part | None:
        if found and found not in self._part_map:
            expected = f"{self._part_column} to be one of {', '.join(self._part_map)}, or empty"
            bad.add(number, expected, f"{found!r}{did_you_mean(found, self._part_map)}", "mend the rows")
        return self._part_map.get(found)
