"""Class names and label maps as a config has them, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lightning_emorec.errors import EmorecError
from lightning_emorec.table import did_you_mean
from lightning_emorec.types import Clip, Tasks

if TYPE_CHECKING:
    Name = Any
else:  # as Any, jsonargparse would parse "no" as YAML again
    Name = str | bool | int | float | None
"""A name in a config: a text, or what YAML makes of one without quotes, which is refused."""

LabelMap = dict[str, str | None]
"""Label as a corpus has it -> class, or None for clips that are left out."""

_TASKS, _LABELS = "--data.corpus.tasks", "--data.corpus.labels"


def checked_tasks(tasks: Mapping[Name, Iterable[Name]]) -> Tasks:
    """The tasks, if they can be.

    Raises:
        EmorecError: No task, a task of fewer than two different classes, or a name that YAML read as something
            other than text.
    """
    if not tasks:
        raise EmorecError("at least one task", "none", f"set {_TASKS}")
    _refuse_other_than_text(tasks, "names of tasks", _TASKS)
    checked = {task: list(classes) for task, classes in tasks.items()}
    for task, classes in checked.items():
        _refuse_other_than_text(classes, f"class names of {task}", _TASKS)
        if len(set(classes)) < 2 or len(set(classes)) < len(classes):
            raise EmorecError(f"two or more different classes of {task}", str(classes), f"set {_TASKS}")
    return checked


def checked_label_map(labels: Mapping[Name, Name], tasks: Tasks) -> LabelMap:
    """The map, if it leads to classes.

    Raises:
        EmorecError: A class that no task has, or a name that YAML read as something other than text.
    """
    _refuse_other_than_text(
        [*labels, *filter(lambda one: one is not None, labels.values())], "labels", _LABELS
    )
    classes = {one: None for of in tasks.values() for one in of}
    if unknown := [one for one in labels.values() if one is not None and one not in classes]:
        found = ", ".join(f"{one!r}{did_you_mean(one, classes)}" for one in dict.fromkeys(unknown))
        raise EmorecError(f"labels to lead to one of {', '.join(classes)}, or null", found, f"set {_LABELS}")
    return dict(labels)


class EmotionMap:
    """Other names for the emotions of a published corpus; several may become one.

    Args:
        labels: Emotion as published -> class, or None for clips that are left out; other emotions stay.
        tasks: The corpus's own.

    Raises:
        EmorecError: An emotion that the corpus lacks, fewer than two that stay, or a name that YAML read as something
            other than text.
    """

    def __init__(self, labels: Mapping[Name, Name] | None, tasks: Tasks) -> None:
        labels = labels or {}
        _refuse_other_than_text(
            [*labels, *filter(lambda one: one is not None, labels.values())], "labels", _LABELS
        )
        if unknown := [
            f"{one!r}{did_you_mean(one, tasks['emotion'])}" for one in labels if one not in tasks["emotion"]
        ]:
            expected = f"labels of the emotions {', '.join(tasks['emotion'])}"
            raise EmorecError(expected, ", ".join(unknown), f"set {_LABELS}")
        self._map: LabelMap = dict(labels)
        kept = dict.fromkeys(self._map.get(one, one) for one in tasks["emotion"])
        self._tasks = checked_tasks({**tasks, "emotion": [one for one in kept if one is not None]})

    @property
    def tasks(self) -> Tasks:
        """The corpus's tasks, their emotions as mapped, each at the place of the first that became it."""
        return {task: list(classes) for task, classes in self._tasks.items()}

    def clips(self, clips: Sequence[Clip]) -> list[Clip]:
        """The clips that are kept, with their emotions as mapped."""
        if not self._map:
            return list(clips)
        named = [(clip, self._map.get(clip.labels["emotion"], clip.labels["emotion"])) for clip in clips]
        return [
            replace(clip, labels={**clip.labels, "emotion": name}) for clip, name in named if name is not None
        ]


def _refuse_other_than_text(names: Iterable[Name], what: str, flag: str) -> None:
    """YAML reads no, on and yes as booleans, 1 as a number and null as nothing, unless they are quoted."""
    if other := [name for name in names if not isinstance(name, str)]:
        found = ", ".join(f"{name} ({'null' if name is None else type(name).__name__})" for name in other)
        fix = f'quote them in {flag}, as in ["no", "1"]: YAML reads no, on, 1 and null as other than text'
        raise EmorecError(f"{what} that are texts", found, fix)
