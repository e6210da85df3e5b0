"""`compare`: scores of finished runs side by side, with paired tests."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np
from markupsafe import Markup
from rich.console import Console
from rich.text import Text

from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.evaluate import Evaluation, compare_systems, evaluate
from lightning_emorec.evaluation.formats import brackets, count, interval, p_value, percent, points
from lightning_emorec.evaluation.intervals import DEFAULT
from lightning_emorec.evaluation.predictions import Predictions, shared_clips
from lightning_emorec.evaluation.report import FEW_ACTORS, actor_strips, write_page
from lightning_emorec.evaluation.results import PART_NAMES
from lightning_emorec.evaluation.significance import PValue
from lightning_emorec.evaluation.system_plots import MOST_NAMED
from lightning_emorec.evaluation.table import Line, headed, print_scores

PREDICTIONS = "predictions.csv"
COLUMNS = {"clip", "actor", "split", "task", "label", "predicted"}
PROBABILITY = "p_"
SCORES = {"accuracy": "accuracy", "uar": "UAR", "macro_f1": "F1"}

JudgedPart = Literal["test", "val"]
"""The part whose predictions are compared."""


def compare(
    run: list[str],
    part: JudgedPart = "test",
    runs: Path = Path("runs"),
    out: Path = Path("compare.html"),
    shared: bool = False,
) -> Evaluation:
    """Compare finished runs: scores with intervals over actors, and paired tests of every two runs.

    Args:
        run: Folders of runs, or their names under `--runs`; at least two.
        part: The part whose predictions are compared.
        runs: Folder of all runs.
        out: The page to write.
        shared: Compare on the clips that all runs share; without this flag, different clips are an error.

    Raises:
        EmorecError: Fewer than two runs, a missing run, or runs that differ in task, classes or clips.
    """
    if len(run) < 2:
        raise EmorecError("at least two runs", ", ".join(run) or "none", "name another one")
    read = {name: read_predictions(folder, part) for name, folder in find_runs(run, runs).items()}
    task = _one_task({name: f"{task} ({', '.join(of.classes)})" for name, (task, of) in read.items()})
    systems = {name: of for name, (_, of) in read.items()}
    clips = {clip for of in systems.values() for clip in of.clip_ids}
    kept = shared_clips(systems.values())
    if shared and not kept:
        raise EmorecError("clips that all runs share", "none", "compare runs of one corpus and part")
    if len(kept) < len(clips) and not shared:
        found = f"{len(clips - kept)} that not all have, such as {min(clips - kept)}"
        fix = "give --shared true to compare on those that all have"
        raise EmorecError("the same clips in all runs", found, fix)
    systems = {name: of.on(kept) for name, of in systems.items()}
    found_ = evaluate(systems, part, task)
    pairs = list(combinations(systems, 2))
    evaluation = replace(
        found_,
        comparisons=compare_systems(systems, pairs, DEFAULT),
        clips_left_out=len(clips - kept),
    )
    _print(evaluation, _write_page(evaluation, out))
    return evaluation


def find_runs(given: Sequence[str], runs: Path) -> dict[str, Path]:
    """Find run folders by path, or by name in the folder of all runs.

    Returns:
        Name (or, if names are not unique, the given text) -> folder, in the given order.

    Raises:
        EmorecError: A run is absent, has no predictions, or is given twice.
    """
    folders = [_find(name, runs) for name in given]
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise EmorecError("different runs", ", ".join(given), "name each run once")
    names = [folder.resolve().name for folder in folders]
    return dict(zip(names if len(set(names)) == len(names) else given, folders, strict=True))


def _find(name: str, runs: Path) -> Path:
    for folder in (Path(name), runs / name):
        if (folder / PREDICTIONS).is_file():
            return folder
    expected = "the folder of a finished run, or its name"
    raise EmorecError(expected, f"no {PREDICTIONS} in {name} or {runs / name}", "correct RUN or --runs")


def read_predictions(folder: Path, part: JudgedPart) -> tuple[str, Predictions]:
    """Read the first task of a run, and its predictions for the labelled clips of a part."""
    path = folder / PREDICTIONS
    with path.open(newline="", encoding="utf8") as lines:
        reader = csv.DictReader(lines)
        rows = list(reader)
    if not rows or (absent := COLUMNS - set(reader.fieldnames or [])):
        found = f"{path} without {', '.join(sorted(absent)) if rows else 'rows'}"
        raise EmorecError("predictions that `fit` or `test` wrote", found, "start that run again")
    task = rows[0]["task"]
    rows = [row for row in rows if row["task"] == task]
    judged = [row for row in rows if row["split"] == part]
    if not judged:
        parts = ", ".join(dict.fromkeys(row["split"] for row in rows))
        raise EmorecError(f"{PART_NAMES[part]} predictions", f"{parts} only in {path}", "set another --part")
    columns = [column for column, value in rows[0].items() if column.startswith(PROBABILITY) and value]
    classes = [column.removeprefix(PROBABILITY) for column in columns]
    judged = [row for row in judged if row["label"]]
    number = {name: index for index, name in enumerate(classes)}
    try:
        labels, predicted = ([number[row[key]] for row in judged] for key in ("label", "predicted"))
    except KeyError as error:
        found = f"{error} in {path}"
        raise EmorecError(
            f"one of the classes {', '.join(classes)}", found, "start that run again"
        ) from error
    return task, Predictions(
        [row["clip"] for row in judged],
        np.array(labels, dtype=np.int64),
        np.array(predicted, dtype=np.int64),
        np.array([[float(row[column]) for column in columns] for row in judged]).reshape(-1, len(columns)),
        [row["actor"] for row in judged],
        classes,
    )


def _one_task(tasks: dict[str, str]) -> str:
    """The common task of all runs, from run -> its task with the classes in brackets."""
    (first, task), *others = tasks.items()
    for name, other in others:
        if other != task:
            found = f"{task} in {first} and {other} in {name}"
            raise EmorecError("one task and its classes", found, "compare runs of one task")
    return task.partition(" (")[0]


def _size(found: Evaluation) -> str:
    return f"{found.measured.clips} clips of {count(found.measured.actors, 'actor')}"


def _print(found: Evaluation, page: Path) -> None:
    console = Console()
    level = f"{100 * found.bootstrap.level:g}% intervals"
    title = headed(False, f"{found.task} on {PART_NAMES[found.part]}", _size(found), f"in %, with {level}")
    lines = [
        Line(name, [percent(of.value) + brackets(of) for of in map(scored.measured.scores.get, SCORES) if of])
        for name, scored in found.systems.items()
    ]
    print_scores(console, title, ["run", *SCORES.values()], lines, ("F1", "UAR"))
    headings = [
        "first, second",
        "accuracy",
        "p, accuracy\nover actors",
        "p, UAR\nover actors",
        "p over clips\n(McNemar)",
    ]
    pairs = []
    for pair in found.comparisons:
        tests = [_both(of) for of in (pair.actor_accuracy, pair.actor_uar, pair.mcnemar)]
        pairs.append(Line(pair.first, [points(pair.accuracy_difference.value), *tests]))
        pairs.append(Line(pair.second, [interval(pair.accuracy_difference, signed=True), "", "", ""]))
    print_scores(
        console, headed(False, "first minus second, in points", "p (Holm)"), headings, pairs, headings[:2:-1]
    )
    console.print(Text(_note(found)))
    console.print(Text(f"report {page}"), soft_wrap=True)


def _both(test: PValue) -> str:
    return f"{p_value(test.raw)} ({p_value(test.holm)})"


def _note(found: Evaluation) -> str:
    """Caveats on the p-values."""
    pair = found.comparisons[0]
    notes = (
        [f"Clips left out, as not all runs have them: {found.clips_left_out}."]
        if found.clips_left_out
        else []
    )
    if pair.least_p > 0.05:
        notes.append(
            f"With {count(pair.actors, 'actor')} the permutation test over actors can give no p below "
            f"{p_value(pair.least_p)}."
        )
    notes.append("McNemar's test takes clips for independent, so it reports differences too readily.")
    return " ".join(notes)


def _write_page(found: Evaluation, out: Path) -> Path:
    content = {
        "synthetic": False,
        "found": found,
        "part": PART_NAMES[found.part],
        "size": _size(found),
        "few": found.measured.actors <= FEW_ACTORS,
        "joined": found.measured.actors <= MOST_NAMED,
        "by_actor": Markup(actor_strips(found, list(found.systems))),
    }
    return write_page(out, "compare.html.j2", content, "commands")
