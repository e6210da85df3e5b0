"""Segments as rows of CSV and as objects of JSON, and back."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

from lightning_emorec.errors import EmorecError
from lightning_emorec.recognition.segment import Segment

Tasks = Mapping[str, Sequence[str]]
"""Task -> its classes."""

_BEFORE = ["file", "start", "end", "label", "score", "set", "certain", "speaker", "text"]
_AFTER = ["model", "version", "notes"]


def to_csv_header(classes: Sequence[str], branches: Sequence[str], tasks: Tasks) -> str:
    """The line of column names: `file,start,end` first, which is audformat's segmented index.

    The classes' probabilities stand between `text` and `model` under the names of the classes; those of branches and
    further tasks come last, as `branch/NAME/CLASS` and `task/NAME/CLASS`.
    """
    by_branch = [f"branch/{branch}/{name}" for branch in branches for name in classes]
    by_task = [f"task/{task}/{name}" for task, names in tasks.items() for name in names]
    return _csv_line([*_BEFORE, *classes, *_AFTER, *by_branch, *by_task])


def to_csv_row(segment: Segment, classes: Sequence[str], branches: Sequence[str], tasks: Tasks) -> str:
    """A segment under the header of the same arguments.

    Times are written as pandas writes timedeltas, `0 days 00:00:01.500000`. `audformat.utils.read_csv`, through which
    nkululeko loads its data too, takes a bare number for seconds, but `pandas.to_timedelta` takes it for nanoseconds;
    this text is the same time to both. An empty cell is None, so an empty text is read back as None; the members of
    `set` and `notes` are parted by `|`.
    """
    row = to_dict(segment)
    cells = [segment.file, _timedelta(segment.start), _timedelta(segment.end), segment.label, row["score"]]
    cells += ["|".join(segment.set), segment.certain, segment.speaker, segment.text]
    cells += [row["probabilities"].get(name) for name in classes]
    cells += [segment.model, segment.version, "|".join(segment.notes)]
    cells += [row["branches"].get(branch, {}).get(name) for branch in branches for name in classes]
    cells += [row["tasks"].get(task, {}).get(name) for task, names in tasks.items() for name in names]
    return _csv_line(cells)


def to_dict(segment: Segment) -> dict[str, Any]:
    """A segment as plain values for JSON, always with the same keys: the attributes of `Segment`.

    Times and probabilities are rounded to 6 digits; what is not finite is None.
    """
    keys = [*_BEFORE, "probabilities", "model", "version", "branches", "tasks", "notes"]
    return {key: _plain(getattr(segment, key)) for key in keys}


def read_segments(path: Path, format: str) -> list[Segment]:
    """The segments of a file of `jsonl` or `csv`, up to a last line that was cut off when writing stopped.

    Raises:
        EmorecError: The format is another, or the file is not what this program writes.
    """
    if format not in ("jsonl", "csv"):
        raise EmorecError("jsonl or csv to read results from", format, "set --format to one of them")
    text = path.read_bytes().decode("utf8", errors="replace")
    whole = text[: text.rfind("\n") + 1]
    try:
        return (
            _from_csv(whole) if format == "csv" else [_from_json(line) for line in whole.split("\n") if line]
        )
    except (ValueError, KeyError, TypeError, IndexError, csv.Error) as error:
        fix = "write into another file, or remove this one"
        raise EmorecError(f"results in {format}", f"{path}: {error}", fix) from error


def _from_json(line: str) -> Segment:
    return Segment(**json.loads(line))


def _from_csv(text: str) -> list[Segment]:
    """Segments of whole lines; a last row without its last cells was cut within a text of several lines."""
    rows = list(csv.reader(StringIO(text, newline="")))
    if not rows:
        return []
    columns, *rows = rows
    if columns[: len(_BEFORE)] != _BEFORE:
        raise ValueError(f"columns {', '.join(columns[:4])}")
    if rows and len(rows[-1]) < len(columns):
        rows.pop()
    return [_from_row(columns, row) for row in rows]


def _from_row(columns: list[str], row: list[str]) -> Segment:
    file, start, end, label, score, inside, certain, speaker, text = row[: len(_BEFORE)]
    model = columns.index("model", len(_BEFORE))
    shares = list(zip(columns, row, strict=True))
    groups: dict[str, dict[str, dict[str, float]]] = {"branch": {}, "task": {}}
    for column, cell in shares[model + len(_AFTER) :]:
        kind, group, name = column.split("/", 2)
        if cell:
            groups[kind].setdefault(group, {})[name] = float(cell)
    return Segment(
        file,
        _seconds(start),
        _seconds(end),
        label,
        score=float(score) if score else None,
        probabilities={name: float(cell) for name, cell in shares[len(_BEFORE) : model] if cell},
        set=inside.split("|") if inside else [],
        certain=certain == "True" if certain else None,
        speaker=speaker,
        text=text or None,
        model=row[model],
        version=row[model + 1],
        branches=groups["branch"],
        tasks=groups["task"],
        notes=row[model + 2].split("|") if row[model + 2] else [],
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def _csv_line(cells: Sequence[Any]) -> str:
    line = StringIO(newline="")
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _timedelta(time_s: float) -> str:
    days, rest = divmod(round(time_s * 1e6), 86_400_000_000)
    seconds, microseconds = divmod(rest, 1_000_000)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{days} days {clock}.{microseconds:06}"


def _seconds(text: str) -> float:
    """What `_timedelta` was given."""
    days, _, clock = text.partition(" days ")
    hours, minutes, seconds = clock.split(":")
    whole = timedelta(days=int(days), hours=int(hours), minutes=int(minutes), seconds=float(seconds))
    return whole.total_seconds()
