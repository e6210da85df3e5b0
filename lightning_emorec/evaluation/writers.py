"""Writes result files: JSON of scores, and tables of predictions."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.evaluation.adaptation import adapted_content
from lightning_emorec.evaluation.evaluate import Evaluation, scores_by_fold
from lightning_emorec.evaluation.intervals import Estimate, Measurement
from lightning_emorec.evaluation.results import PartResults, RunResults, System
from lightning_emorec.evaluation.significance import Comparison
from lightning_emorec.metrics import score_part
from lightning_emorec.splits import PARTS
from lightning_emorec.types import UNLABELLED, Clip, Tasks

Row = dict[str, str]

DECIMALS = 6


def write_files(results: RunResults, evaluation: Evaluation | None, folder: Path) -> dict[str, Any]:
    """Write metrics.json (its content is returned), predictions.csv and, for a fusion, branch_predictions.csv.

    `evaluation` is None if there are no clips to evaluate.
    """
    content = metrics_content(results, evaluation)
    write_json(content, folder / "metrics.json")
    columns = ["actor", "split", "task", "label", "predicted", *probability_columns(results.tasks)]
    output = {part: results.output[part] for part in PARTS if part in results.output}
    rows = prediction_rows(results.tasks, results.clips, output)
    write_atomically(folder / "predictions.csv", as_csv(["clip", *columns], rows))
    if results.branches:
        rows = (
            {**row, "branch": branch.name}
            for branch in results.branches
            for row in prediction_rows(results.tasks, results.clips, results.fold.logits[branch])
        )
        write_atomically(folder / "branch_predictions.csv", as_csv(["clip", "branch", *columns], rows))
    return content


def metrics_content(results: RunResults, evaluation: Evaluation | None) -> dict[str, Any]:
    """The content of metrics.json."""

    def scores(system: System) -> dict[Any, Any]:
        return (
            evaluation.systems[results.label(system)].folds[0]
            if evaluation
            else scores_by_fold(results, system)[0]
        )

    def before(systems: list[System]) -> dict[str, Any]:
        return {system.name: {"test": score_part(results.before_refit[system])} for system in systems}

    output, learned = scores(results.chosen), results.learned
    content = {
        **{str(part): output[part] for part in PARTS if part in output},
        **({"val_across_actors": results.across_actors} if results.across_actors else {}),
        "branches": {branch.name: scores(branch) for branch in results.branches},
        "left_out": results.left_out,
        "rules": {rule.name: scores(rule) for rule in results.rules},
        "fusion": learned
        and {"rule": results.chosen.name, "weights": learned.shares, "temperature": learned.temperature},
        **({"refit": results.refits} if results.refits else {}),
    }
    if results.before_refit:
        content["before_refit"] = {
            "test": score_part(results.before_refit[results.chosen]),
            "branches": before(results.branches),
            "rules": before(results.rules),
        }
    return content | {
        "synthetic": results.synthetic,
        "warnings": results.warnings,
        **({"judged_by": results.judged_by} if results.judged_by else {}),
        "skipped_clips": results.skipped,
        "audio": results.audio and asdict(results.audio),
        "absent_test_actors": results.absent_test_actors,
        "seed": results.fold.seed,
        "parameters": results.parameters,
        "seconds": results.fold.seconds,
        "versions": results.fold.versions,
        **(evaluation_content(evaluation) if evaluation else {}),
    }


def evaluation_content(evaluation: Evaluation) -> dict[str, Any]:
    """The content of metrics.json and crossval.json from an evaluation."""
    classes, systems = evaluation.classes, evaluation.systems
    return {
        "intervals": {
            "part": evaluation.part,
            "task": evaluation.task,
            "level": evaluation.bootstrap.level,
            "resamples": evaluation.bootstrap.resamples,
            "actors": evaluation.measured.actors,
            **_intervals(evaluation.measured, classes),
            "systems": {name: _intervals(of.measured, classes) for name, of in systems.items()},
        },
        "groups": {
            task: {name: _group(of, classes) for name, of in groups.items()}
            for task, groups in evaluation.groups.items()
        },
        "actors": evaluation.of_model.actors,
        "calibration": {
            **_calibration(evaluation, evaluation.model),
            "systems": {name: _calibration(evaluation, name) for name in systems},
        },
        "comparisons": [_comparison(pair) for pair in evaluation.comparisons],
        **({"prediction_sets": asdict(evaluation.sets)} if evaluation.sets else {}),
        **({"adaptation": adapted_content(evaluation.adapted)} if evaluation.adapted else {}),
    }


def _intervals(of: Measurement, classes: list[str]) -> dict[str, Any]:
    recalls = zip(classes, of.recalls, strict=True)
    return {
        **{score: ends(estimate) for score, estimate in of.scores.items()},
        "recall": {name: ends(estimate) for name, estimate in recalls},
    }


def _group(of: Measurement, classes: list[str]) -> dict[str, Any]:
    scores = {score: estimate.value for score, estimate in of.scores.items()}
    return {"clips": of.clips, "actors": of.actors, **scores, "intervals": _intervals(of, classes)}


def _calibration(evaluation: Evaluation, system: str) -> dict[str, Any]:
    of = evaluation.systems[system]
    return {
        "ece": of.calibration.ece,
        "classwise_ece": of.calibration.classwise_ece,
        "class_errors": dict(zip(evaluation.classes, of.calibration.class_errors, strict=True)),
        "aurc": of.risk.aurc,
    }


def _comparison(pair: Comparison) -> dict[str, Any]:
    difference = {"value": pair.accuracy_difference.value, "interval": ends(pair.accuracy_difference)}
    return {**asdict(pair), "accuracy_difference": difference, "least_p": pair.least_p}


def ends(estimate: Estimate | None) -> list[float] | None:
    """`[low, high]`, or None without an interval."""
    if estimate is None or estimate.interval is None:
        return None
    return [estimate.interval.low, estimate.interval.high]


def write_json(content: object, path: Path) -> None:
    """Write rounded JSON, with null for NaN and infinity."""
    text = json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return round(value, DECIMALS) if math.isfinite(value) else None
    return value


def probability_columns(tasks: Tasks) -> list[str]:
    """One column for each class of any task; tasks may share a class name, as a row has one task only."""
    return list(dict.fromkeys(f"p_{name}" for classes in tasks.values() for name in classes))


def prediction_rows(tasks: Tasks, clips: Mapping[str, Clip], parts: PartResults) -> Iterator[Row]:
    """A row for each clip of each part and each task."""
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
    """Rows as CSV with a header."""
    text = StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
