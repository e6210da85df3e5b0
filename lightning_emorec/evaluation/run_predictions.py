"""What finished runs said of their clips, read from their folders."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.evaluate import on
from lightning_emorec.evaluation.leaderboard import PART_NAMES
from lightning_emorec.evaluation.predictions import Predictions

PREDICTIONS = "predictions.csv"
COLUMNS = {"clip", "actor", "split", "task", "label", "predicted"}
PROBABILITY = "p_"

JudgedPart = Literal["test", "val"]
"""The part that runs are compared on."""


@dataclass(frozen=True)
class RunPredictions:
    """What one run said.

    Attributes:
        task: Its first task.
        classes: The task's classes.
        predictions: Of the labelled clips of one part.
    """

    task: str
    classes: list[str]
    predictions: Predictions


def find_runs(given: Sequence[str], runs: Path) -> dict[str, Path]:
    """Find run folders by path, or by name among all runs.

    Args:
        given: Paths or names.
        runs: Folder of all runs.

    Returns:
        What to call each run, the shortest that tells them apart -> its folder, in the order given.

    Raises:
        EmorecError: One is not there or has no predictions, or one is given twice.
    """
    folders = [_find(name, runs) for name in given]
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise EmorecError("different runs", f"{', '.join(given)}", "name each run once")
    names = [folder.resolve().name for folder in folders]
    return dict(zip(names if len(set(names)) == len(names) else given, folders, strict=True))


def _find(name: str, runs: Path) -> Path:
    for folder in (Path(name), runs / name):
        if (folder / PREDICTIONS).is_file():
            return folder
    expected = "the folder of a finished run, or its name"
    raise EmorecError(expected, f"no {PREDICTIONS} in {name} or {runs / name}", "mend RUN or --runs")


def read_predictions(folder: Path, part: JudgedPart) -> RunPredictions:
    """Read what a run said of the labelled clips of a part, for its first task.

    Raises:
        EmorecError: The file is no table of predictions, or has none of this part.
    """
    path = folder / PREDICTIONS
    with path.open(newline="", encoding="utf8") as lines:
        reader = csv.DictReader(lines)
        rows = list(reader)
    if not rows or (absent := COLUMNS - set(reader.fieldnames or [])):
        found = f"{path} without {', '.join(sorted(absent)) if rows else 'rows'}"
        raise EmorecError("predictions that `fit` or `test` wrote", found, "run it again")
    task = rows[0]["task"]
    rows = [row for row in rows if row["task"] == task]
    if not any(row["split"] == part for row in rows):
        there = ", ".join(dict.fromkeys(row["split"] for row in rows))
        raise EmorecError(
            f"{PART_NAMES[part]} predictions", f"{there} only in {path}", "choose another --part"
        )
    classes = [column[len(PROBABILITY) :] for column in _probabilities(rows[0])]
    judged = [row for row in rows if row["split"] == part and row["label"]]
    number = {name: index for index, name in enumerate(classes)}
    try:
        labels, predicted = ([number[row[key]] for row in judged] for key in ("label", "predicted"))
    except KeyError as error:
        found = f"{error} in {path}"
        raise EmorecError(f"one of the classes {', '.join(classes)}", found, "run it again") from error
    said = Predictions(
        [row["clip"] for row in judged],
        np.array(labels, dtype=np.int64),
        np.array(predicted, dtype=np.int64),
        [row["actor"] for row in judged],
        len(classes),
    )
    return RunPredictions(task, classes, said)


def _probabilities(row: Mapping[str, str]) -> list[str]:
    """The columns that a row's task fills."""
    return [column for column, value in row.items() if column.startswith(PROBABILITY) and value]


def on_shared_clips(runs: Mapping[str, RunPredictions]) -> dict[str, RunPredictions]:
    """Keep the clips that every run has.

    Raises:
        EmorecError: There is none.
    """
    shared = set.intersection(*(set(run.predictions.clip_ids) for run in runs.values()))
    if not shared:
        raise EmorecError("clips that all runs share", "none", "compare runs of one corpus and part")
    return {
        name: RunPredictions(run.task, run.classes, on(run.predictions, shared)) for name, run in runs.items()
    }


def check_same(runs: Mapping[str, RunPredictions]) -> None:
    """Check that runs can be compared as they are.

    Raises:
        EmorecError: They differ in task, classes or clips.
    """
    (first, leader), *others = runs.items()
    for name, run in others:
        if (run.task, run.classes) != (leader.task, leader.classes):
            found = f"{_classes(leader)} in {first} and {_classes(run)} in {name}"
            raise EmorecError("one task and its classes", found, "compare runs of one task")
        if strange := sorted({*run.predictions.clip_ids} ^ {*leader.predictions.clip_ids}):
            found = f"{len(strange)} that only one of {first} and {name} has, such as {strange[0]}"
            raise EmorecError(
                "the same clips in all runs", found, "give --shared true to compare on those that all have"
            )


def _classes(run: RunPredictions) -> str:
    return f"{run.task} ({', '.join(run.classes)})"
