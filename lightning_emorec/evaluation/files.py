"""metrics.json and the tables of predictions that a run leaves in its folder."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

from lightning_emorec.evaluation.judgement import Judgement
from lightning_emorec.evaluation.results import PartResults, RunResults
from lightning_emorec.training.run_folder import write_atomically
from lightning_emorec.types import UNLABELLED

Row = dict[str, str]

DECIMALS = 6


def write_files(results: RunResults, judgement: Judgement, folder: Path) -> None:
    """Write metrics.json, predictions.csv and, for a fusion, branch_predictions.csv, each in one step.

    Args:
        results: What the run found.
        judgement: How far it can be trusted.
        folder: The run folder.
    """
    content = {**results.metrics(), **judgement.metrics()}
    metrics = json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(folder / "metrics.json", metrics + "\n")
    columns = ["actor", "split", "task", "label", "predicted", *_probability_columns(results)]
    rows = _rows(results, results.output)
    write_atomically(folder / "predictions.csv", _csv(["clip", *columns], rows))
    if results.branches:
        rows = (
            {**row, "branch": n} for n, parts in results.branches.items() for row in _rows(results, parts)
        )
        write_atomically(folder / "branch_predictions.csv", _csv(["clip", "branch", *columns], rows))


def _plain(value: Any) -> Any:
    """Round, and put null for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return round(value, DECIMALS) if math.isfinite(value) else None
    return value


def _probability_columns(results: RunResults) -> list[str]:
    """One column for each class of any task; tasks may share a class name, as a row has one task only."""
    return list(dict.fromkeys(f"p_{name}" for classes in results.tasks.values() for name in classes))


def _rows(results: RunResults, parts: PartResults) -> Iterator[Row]:
    for part, values in parts.items():
        for task, logits in values.logits.items():
            classes, labels = results.tasks[task], values.labels[task].tolist()
            probabilities = logits.double().softmax(dim=-1).tolist()  # clips × classes
            predicted = logits.argmax(dim=-1).tolist()
            for row, clip in enumerate(values.clip_ids):
                yield {
                    "clip": clip,
                    "actor": results.clips[clip].actor,
                    "split": part,
                    "task": task,
                    "label": "" if labels[row] == UNLABELLED else classes[labels[row]],
                    "predicted": classes[predicted[row]],
                    **{f"p_{name}": f"{p:.6f}" for name, p in zip(classes, probabilities[row], strict=True)},
                }


def _csv(columns: list[str], rows: Iterable[Row]) -> str:
    text = StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
