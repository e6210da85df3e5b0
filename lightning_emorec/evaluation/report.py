"""report.html: what a run found, on one page for people who were not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.evaluation.actor_plots import MOST_NAMED, actors_figure, strip_figure
from lightning_emorec.evaluation.curves import read_curves
from lightning_emorec.evaluation.error_analysis import ActorRow, Answers, by_actor, mistakes
from lightning_emorec.evaluation.evaluate import Judgement
from lightning_emorec.evaluation.leaderboard import (
    PART_NAMES,
    chance,
    first_task,
    judged_size,
    standings,
    warnings,
)
from lightning_emorec.evaluation.page import FEW_ACTORS, render
from lightning_emorec.evaluation.plots import curves_figure, weights_figure
from lightning_emorec.evaluation.results import RunResults
from lightning_emorec.evaluation.sections import model_sections
from lightning_emorec.metrics import Scores, score, score_part

REPORT = "report.html"
MOST_MISTAKES = 100

Figure = tuple[str, Markup]
"""What the figure is of, and its SVG."""


def write_report(results: RunResults, judgement: Judgement, folder: Path, curves: Mapping[str, Path]) -> Path:
    """Write one page that needs no network and no other file.

    Args:
        results: What the run found.
        judgement: How far it can be trusted.
        folder: The run folder.
        curves: Branch or model -> its metrics.csv; those that are absent or hold no course are passed over.

    Returns:
        The path of the page.
    """
    write_atomically(folder / REPORT, render(f"{REPORT}.j2", _content(results, judgement, curves)))
    return folder / REPORT


def _content(results: RunResults, judgement: Judgement, curves: Mapping[str, Path]) -> dict[str, Any]:
    task, part = first_task(results), results.output[results.judged_on]
    classes = results.tasks[task]
    return {
        "run": results,
        "judgement": judgement,
        "few": judgement.measured.actors <= FEW_ACTORS,
        "joined": judgement.measured.actors <= MOST_NAMED,
        "task": task,
        "classes": classes,
        "part_names": PART_NAMES,
        "tested": results.judged_on == "test",
        "size": judged_size(results),
        "scores": score(part.logits[task], part.labels[task]),
        "chance": chance(part, task),
        "heard": sorted({*results.learned_from} & {*results.actors[results.judged_on]}),
        "lines": standings(results),
        "gain": judgement.against(judgement.model, judgement.best_branch),
        "warnings": warnings(results),
        "other_tasks": _other_tasks(results),
        "part_scores": {name: score(of.logits[task], of.labels[task]) for name, of in results.output.items()},
        "weights": _weights(results),
        "curves": list(_curves(curves, task)),
        **_breakdown(results, judgement, Answers.of(part, task, classes)),
    }


def _breakdown(results: RunResults, judgement: Judgement, answers: Answers) -> dict[str, Any]:
    """Tables and figures of the first task, on the judged part."""
    actors = by_actor(answers, results.clips)
    wrong = mistakes(answers, results.clips, results.texts)
    largest_class = float(answers.labels.bincount().max() / len(answers.labels))
    return {
        "model": model_sections(judgement, answers, results.clips),
        "by_actor": Markup(_actors(results, judgement, actors, largest_class)),
        "wrong": len(wrong),
        "mistakes": wrong[:MOST_MISTAKES],
    }


def _actors(results: RunResults, judgement: Judgement, actors: list[ActorRow], chance: float) -> str:
    """Actors under each system of a fusion, or one by one."""
    if not results.fusion:
        return actors_figure(actors, judgement.measured.scores["accuracy"].value, chance)
    accuracies = {
        system: {actor: scores["accuracy"] for actor, scores in of.items()}
        for system, of in judgement.actors.items()
    }
    means = {system: of.scores["accuracy"].value for system, of in judgement.systems.items()}
    return strip_figure(accuracies, means, chance)


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
