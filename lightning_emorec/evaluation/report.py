"""report.html: what a run found, on one page for people who were not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lightning_emorec.evaluation.breakdown import (
    Answers,
    by_actor,
    by_class,
    by_confidence,
    confusion,
    mistakes,
)
from lightning_emorec.evaluation.curves import read_curves
from lightning_emorec.evaluation.plots import (
    actors_figure,
    confusion_figure,
    curves_figure,
    reliability_figure,
    weights_figure,
)
from lightning_emorec.evaluation.results import RunResults
from lightning_emorec.evaluation.standings import (
    PART_NAMES,
    Standing,
    actor_list,
    chance,
    first_task,
    judged_size,
    one_class_warnings,
    percent,
    standings,
)
from lightning_emorec.metrics import Scores, score, score_part
from lightning_emorec.training.run_folder import write_atomically

REPORT = "report.html"
MOST_MISTAKES = 100

Figure = tuple[str, Markup]
"""What the figure is of, and its SVG."""


def write_report(results: RunResults, folder: Path, curves: Mapping[str, Path]) -> Path:
    """Write one page that needs no network and no other file.

    Args:
        results: What the run found.
        folder: The run folder.
        curves: Branch or model -> its metrics.csv; those that are absent or hold no course are passed over.

    Returns:
        The path of the page.
    """
    environment = Environment(
        loader=PackageLoader("lightning_emorec", "evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "actors": actor_list, "duration": _duration}
    page = environment.get_template(f"{REPORT}.j2").render(_content(results, curves))
    write_atomically(folder / REPORT, page)
    return folder / REPORT


def _content(results: RunResults, curves: Mapping[str, Path]) -> dict[str, Any]:
    task, part = first_task(results), results.output[results.judged_on]
    classes = results.tasks[task]
    lines = standings(results)
    return {
        "run": results,
        "task": task,
        "classes": classes,
        "part_names": PART_NAMES,
        "tested": results.judged_on == "test",
        "size": judged_size(results),
        "scores": score(part.logits[task], part.labels[task]),
        "chance": chance(part, task),
        "heard": sorted({*results.actors["train"]} & {*results.actors[results.judged_on]}),
        "lines": lines,
        "gain": _gain(lines),
        "warnings": one_class_warnings(results),
        "other_tasks": _other_tasks(results),
        "part_scores": {name: score(of.logits[task], of.labels[task]) for name, of in results.output.items()},
        "weights": _weights(results),
        "curves": list(_curves(curves, task)),
        **_breakdown(results, Answers.of(part, task, classes)),
    }


def _breakdown(results: RunResults, answers: Answers) -> dict[str, Any]:
    """Tables and figures of the first task, on the judged part."""
    counts = confusion(answers)
    actors = by_actor(answers, results.clips)
    wrong = mistakes(answers, results.clips)
    largest_class = float(counts.sum(dim=1).max() / counts.sum())
    mean = float(answers.right.float().mean())
    return {
        "confusion": Markup(confusion_figure(counts, answers.classes)),
        "by_class": by_class(counts, answers.classes),
        "by_actor": Markup(actors_figure(actors, mean, largest_class)),
        "worst_actor": min(actors, key=lambda row: row.accuracy),
        "best_actor": max(actors, key=lambda row: row.accuracy),
        "reliability": Markup(reliability_figure(by_confidence(answers))),
        "confidence": float(answers.confidence.mean()),
        "wrong": len(wrong),
        "mistakes": wrong[:MOST_MISTAKES],
    }


def _gain(lines: list[Standing]) -> dict[str, Any] | None:
    """The chosen rule beside the best branch; None where there is no choice of branches."""
    branches = [line for line in lines if line.kind == "branch"]
    chosen = next((line for line in lines if line.kind == "chosen"), None)
    if chosen is None or len(branches) < 2:
        return None
    best = max(branches, key=lambda line: line.scores["accuracy"])
    points = 100 * (chosen.scores["accuracy"] - best.scores["accuracy"])
    return {"branch": best.name, "accuracy": best.scores["accuracy"], "points": points}


def _other_tasks(results: RunResults) -> dict[str, tuple[Scores, Scores]]:
    """Scores and chance of every task but the first."""
    part = results.output[results.judged_on]
    others = {task: scores for task, scores in score_part(part).items() if task != first_task(results)}
    return {task: (scores, chance(part, task)) for task, scores in others.items()}


def _weights(results: RunResults) -> Markup | None:
    weights = results.fusion.weights if results.fusion else None
    return Markup(weights_figure(weights)) if weights else None


def _curves(curves: Mapping[str, Path], task: str) -> Iterator[Figure]:
    losses = {"train/loss": "training loss", f"val/{task}/nll": "validation loss"}
    scores = {f"val/{task}/accuracy": "validation accuracy", f"val/{task}/uar": "validation UAR"}
    for name, path in curves.items():
        read = read_curves(path, [*losses, *scores])
        if read:
            upper = {label: read[key] for key, label in losses.items() if key in read}
            lower = {label: read[key] for key, label in scores.items() if key in read}
            yield name, Markup(curves_figure(upper, lower))


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"
