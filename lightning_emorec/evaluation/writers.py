"""metrics.json and the tables of predictions that a run leaves in its folder."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.evaluation.evaluate import Judgement
from lightning_emorec.evaluation.results import PartResults, RunResults
from lightning_emorec.types import UNLABELLED, Clip, Tasks

Row = dict[str, str]

DECIMALS = 6


def write_files(results: RunResults, judgement: Judgement | None, folder: Path) -> None:
    """Write metrics.json, predictions.csv and, for a fusion, branch_predictions.csv, each in one step.

    Args:
        results: What the run found.
        judgement: How far it can be trusted; None where it was not judged.
        folder: The run folder.
    """
    content = {**results.metrics(), **(judgement.metrics() if judgement else {})}
    metrics = json.dumps(plain(content), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(folder / "metrics.json", metrics + "\n")
    columns = ["actor", "split", "task", "label", "predicted", *probability_columns(results.tasks)]
    rows = prediction_rows(results.tasks, results.clips, results.output)
    write_atomically(folder / "predictions.csv", as_csv(["clip", *columns], rows))
    if results.branches:
        rows = (
            {**row, "branch": name}
            for name, parts in results.branches.items()
            for row in prediction_rows(results.tasks, results.clips, parts)
        )
        write_atomically(folder / "branch_predictions.csv", as_csv(["clip", "branch", *columns], rows))


def plain(value: Any) -> Any:
    """Round, and put null for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return round(value, DECIMALS) if math.isfinite(value) else None
    return value


def probability_columns(tasks: Tasks) -> list[str]:
    """One column for each class of any task; tasks may share a class name, as a row has one task only."""
    return list(dict.fromkeys(f"p_{name}" for classes in tasks.values() for name in classes))


def prediction_rows(tasks: Tasks, clips: Mapping[str, Clip], parts: PartResults) -> Iterator[Row]:
    """A row for each clip of each part and each task.

    Args:
        tasks: Task name -> class names.
        clips: The clips by id.
        parts: The logits of a model.
    """
    for part, values in parts.items():
        for task, logits in values.logits.items():
            classes, labels = tasks[task], values.labels[task].tolist()
            probabilities = logits.double().softmax(dim=-1).tolist()  # clips × classes
            predicted = logits.argmax(dim=-1).tolist()
            for row, clip in enumerate(values.clip_ids):
                yield {
                    "clip": clip,
                    "actor": clips[clip].actor,
                    "split": part,
                    "task": task,
                    "label": "" if labels[row] == UNLABELLED else classes[labels[row]],
                    "predicted": classes[predicted[row]],
                    **{f"p_{name}": f"{p:.6f}" for name, p in zip(classes, probabilities[row], strict=True)},
                }


def as_csv(columns: list[str], rows: Iterable[Row]) -> str:
    """The text of a table with a header."""
    text = StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
