"""One recording that a table lists twice."""

from __future__ import annotations

import os
from collections.abc import Sequence

from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Clip

Numbered = tuple[int, Clip]
"""A clip and the number of its row."""


def refuse_repeated_ids(clips: Sequence[Numbered], source: str) -> None:
    """Each clip has an id of its own.

    Raises:
        EmorecError: The first id that two rows have, and how many more there are.
    """
    numbers: dict[str, int] = {}
    again = [
        (clip.id, numbers[clip.id], number)
        for number, clip in clips
        if numbers.setdefault(clip.id, number) != number
    ]
    if again:
        name, first, second = again[0]
        rest = f" and {len(again) - 1:,} more" if len(again) > 1 else ""
        found = f"{name!r} in rows {first} and {second}{rest} of {source}"
        raise EmorecError("one row for each clip", found, "remove one, or set id_column")


def repeated_recordings(clips: Sequence[Numbered], source: str) -> list[str]:
    """Warn of recordings under two names: other spellings of a path, links, or upper case where that is no difference.

    Segments of a file at other times are other recordings.

    Returns:
        A line, or nothing.

    Raises:
        EmorecError: The rows of a recording say different things of its speaker, its part or its labels.
    """
    first: dict[object, Numbered] = {}
    repeats = []
    for number, clip in clips:
        if clip.path is not None:
            at, of = first.setdefault((_file(clip), clip.start, clip.end), (number, clip))
            if at != number:
                repeats.append((at, number, of, clip))
    wrong = [(at, number, what) for at, number, of, clip in repeats if (what := _difference(of, clip))]
    if wrong:
        at, number, what = wrong[0]
        rest = f"; {len(wrong):,} such recordings" if len(wrong) > 1 else ""
        found = f"{what} in rows {at} and {number} of {source}, which are the same file{rest}"
        raise EmorecError(
            "one speaker, one part and one label of a task for each recording", found, "mend the rows"
        )
    if not repeats:
        return []
    at, number, of, clip = repeats[0]
    counted = f"{len(repeats):,} of {len(clips):,} rows of {source} name a recording that another row has"
    return [f"{counted}, e.g. rows {at} and {number}, {of.path} and {clip.path}: it counts twice"]


def _file(clip: Clip) -> object:
    """What two names of one file have in common."""
    path = str(clip.path)
    try:
        status = os.stat(path)  # noqa: PTH116 - a third of the time of Path.stat
    except OSError:  # absent: reading it raises the same
        return os.path.normpath(path)
    return status.st_dev, status.st_ino


def _difference(one: Clip, other: Clip) -> str:
    """What two descriptions of a recording contradict each other in; a label that one lacks is no contradiction."""
    pairs = [(one.actor, other.actor), (one.part, other.part)]
    pairs += [(label, other.labels.get(task, label)) for task, label in one.labels.items()]
    return next((f"{first!r} and {second!r}" for first, second in pairs if first != second), "")
