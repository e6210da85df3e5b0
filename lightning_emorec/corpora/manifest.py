"""Any corpus that a table describes: the way in for a user's own data."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from lightning_emorec.corpora.corpus import Corpus
from lightning_emorec.errors import EmorecError
from lightning_emorec.table import Row, read_table
from lightning_emorec.types import Clip, Part, Tasks

_PARTS: dict[str, Part] = {part: part for part in get_args(Part)}


class ManifestCorpus(Corpus):
    """Clips listed in a CSV file (commas, semicolons or tabs, with a header) or a file of JSON lines, in UTF-8.

    Each row is a clip: an audio file, its actor, and one column a task. An empty label leaves the clip
    unlabelled for that task. Rows are numbered as a spreadsheet numbers them: a header is row 1.

    Args:
        path: The manifest, `.csv`, `.tsv` or `.jsonl`.
        tasks: Task name -> its class names in logit order, the task a run is judged by first.
        clip_column: Column of the audio file's path. With `text_column` and `id_column` it may be empty: branches
            that need audio then skip the clip.
        actor_column: Column of the speaker.
        text_column: Column of what was said, if any.
        id_column: Column of the clip's id; None takes the path as the manifest has it.
        part_column: Column of the part the clip is published in (train, val, test or empty), if any.
        root: Folder that relative audio paths start from; None is the manifest's own.
        label_columns: Task name -> column, for tasks whose column has another name.

    Raises:
        EmorecError: Another suffix, or tasks that cannot be.
    """

    def __init__(
        self,
        path: str,
        tasks: dict[str, list[str]],
        clip_column: str = "path",
        actor_column: str = "actor",
        text_column: str | None = None,
        id_column: str | None = None,
        part_column: str | None = None,
        root: str | None = None,
        label_columns: dict[str, str] | None = None,
    ) -> None:
        self.path = Path(path).expanduser()
        if self.path.suffix.lower() not in (".csv", ".tsv", ".jsonl"):
            raise EmorecError("a manifest .csv, .tsv or .jsonl", str(path), "set --data.corpus.path")
        _check_tasks(tasks, label_columns or {})
        self.root = Path(root).expanduser() if root else self.path.parent
        self._tasks = {task: list(classes) for task, classes in tasks.items()}
        self._clip_column = clip_column
        self._actor_column = actor_column
        self._text_column = text_column
        self._id_column = id_column
        self._part_column = part_column
        self._label_columns = {task: (label_columns or {}).get(task, task) for task in tasks}

    @property
    def tasks(self) -> Tasks:
        """The tasks as configured."""
        return {task: list(classes) for task, classes in self._tasks.items()}

    def clips(self) -> list[Clip]:
        """List the clips, sorted by id.

        Raises:
            EmorecError: The manifest is absent, a row cannot be read, lacks a column, has
                an unknown class or part, no actor, or an id that another row has.
        """
        table = read_table(self.path, "--data.corpus.path")
        table.require(
            self._wanted(),
            "name them with clip_column, actor_column, label_columns, text_column, id_column, part_column",
        )
        clips: dict[str, Clip] = {}
        numbers: dict[str, int] = {}
        for number, row in table.rows:
            clip = self._clip(number, row)
            if clip.id in clips:
                found = f"{clip.id!r} in rows {numbers[clip.id]} and {number} of {self.path}"
                raise EmorecError("one row for each clip", found, "remove one, or set id_column")
            clips[clip.id] = clip
            numbers[clip.id] = number
        return [clips[key] for key in sorted(clips)]

    def _wanted(self) -> list[str]:
        """Columns that the manifest must have; a JSON object may leave a key out where it has no value."""
        optional = (self._text_column, self._id_column, self._part_column)
        return [self._clip_column, self._actor_column, *self._label_columns.values(), *filter(None, optional)]

    def _clip(self, number: int, row: Row) -> Clip:
        actor = self._filled(number, row, self._actor_column)
        key = self._filled(number, row, self._id_column or self._clip_column)
        text = row.get(self._text_column, "") if self._text_column else None
        if self._id_column and self._text_column and not row.get(self._clip_column):
            path = None
        else:
            path = self.root / Path(self._filled(number, row, self._clip_column)).expanduser()
        return Clip(key, actor, path, self._labels(number, row), text, self._part(number, row))

    def _labels(self, number: int, row: Row) -> dict[str, str]:
        labels = {task: row[column] for task, column in self._label_columns.items() if row.get(column)}
        for task, label in labels.items():
            if label not in self._tasks[task]:
                expected = f"{task} to be one of {', '.join(self._tasks[task])}, or empty"
                raise self._error(number, expected, repr(label), "mend the label, or add it to tasks")
        return labels

    def _part(self, number: int, row: Row) -> Part | None:
        found = row.get(self._part_column, "") if self._part_column else ""
        if found and found not in _PARTS:
            expected = f"{self._part_column} to be one of {', '.join(_PARTS)}, or empty"
            raise self._error(number, expected, repr(found), "mend the row")
        return _PARTS.get(found)

    def _filled(self, number: int, row: Row, column: str) -> str:
        if not row.get(column):
            raise self._error(number, f"a value in the column {column}", "none", "fill it in")
        return row[column]

    def _error(self, number: int, expected: str, found: str, fix: str) -> EmorecError:
        return EmorecError(expected, f"{found} in row {number} of {self.path}", fix)


def _check_tasks(tasks: Tasks, label_columns: dict[str, str]) -> None:
    if not tasks:
        raise EmorecError("at least one task", "none", "set --data.corpus.tasks")
    for task, classes in tasks.items():
        if len(set(classes)) < 2 or len(set(classes)) < len(classes):
            raise EmorecError(
                f"two or more different classes of {task}", str(classes), "set --data.corpus.tasks"
            )
    unknown = sorted(set(label_columns) - set(tasks))
    if unknown:
        raise EmorecError(
            f"label_columns for {', '.join(tasks)}", ", ".join(unknown), "set --data.corpus.label_columns"
        )
