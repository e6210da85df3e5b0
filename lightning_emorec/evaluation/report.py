"""Self-contained HTML pages: report.html of a run, and the content that other pages share with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.evaluation import formats
from lightning_emorec.evaluation.adaptation import DRAWS
from lightning_emorec.evaluation.curves import read_curves
from lightning_emorec.evaluation.error_analysis import ActorRow, by_actor, by_class, mistakes
from lightning_emorec.evaluation.evaluate import Evaluation, SystemScores, chance
from lightning_emorec.evaluation.leaderboard import score_rows, warnings
from lightning_emorec.evaluation.plots import (
    class_reliability_figure,
    confusion_figure,
    curves_figure,
    reliability_figure,
    risk_figure,
)
from lightning_emorec.evaluation.results import PART_NAMES, Results, RunResults, System
from lightning_emorec.evaluation.system_plots import (
    MOST_NAMED,
    actors_figure,
    learning_curve_figure,
    strip_figure,
    weights_figure,
)
from lightning_emorec.metrics import Scores
from lightning_emorec.runs.pretraining import PretrainedPart, pretrained_parts
from lightning_emorec.types import UNLABELLED

REPORT = "report.html"
TEMPLATES = "evaluation/templates"
MOST_MISTAKES = 100
FEW_ACTORS = 10
"""A page warns of few actors up to this number."""


def write_page(path: Path, template: str, content: Mapping[str, Any], templates: str = TEMPLATES) -> Path:
    """Render a template, with HTML escaped, and write the page.

    Args:
        path: The page to write; also returned.
        template: File name of the template.
        content: Name -> value; a name that the template uses must be present.
        templates: Folder of the template in this package; its base templates may also be in `evaluation`.
    """
    environment = Environment(
        loader=ChoiceLoader(
            [PackageLoader("lightning_emorec", of) for of in dict.fromkeys((templates, TEMPLATES))]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": formats.percent,
        "points": formats.points,
        "interval": formats.interval,
        "actors": formats.actor_list,
        "duration": formats.duration,
        "count": formats.count,
        "p": formats.p_value,
        "p_is": formats.p_is,
    }
    text = environment.get_template(template).render(content)
    write_atomically(path, text)
    return path


def write_report(
    results: RunResults, evaluation: Evaluation, folder: Path, curves: Mapping[str, Path]
) -> Path:
    """Write report.html and return its path.

    `curves` are branch or model -> its metrics.csv; files that are absent or without a curve are skipped.
    """
    wrong = mistakes(evaluation.of_model.predictions, results.clips, results.texts)
    content = {
        "run": results,
        "part_names": PART_NAMES,
        "seen": sorted({*results.learned_from} & {*results.fold.actors[results.part]}),
        "other_tasks": dict(_other_tasks(results, evaluation)),
        "part_scores": {part: of[results.task] for part, of in evaluation.of_model.folds[0].items()},
        "curves": list(_curves(curves, results.task)),
        "wrong": len(wrong),
        "mistakes": wrong[:MOST_MISTAKES],
        **shared_content(results, evaluation),
    }
    return write_page(folder / REPORT, f"{REPORT}.j2", content)


def shared_content(results: Results, evaluation: Evaluation) -> dict[str, Any]:
    """The content of evaluation.html.j2, for a run and for a cross-validation."""
    rows = score_rows(results, evaluation)
    seeds = results.seeds
    return {
        "results": results,
        "synthetic": results.synthetic,
        "evaluation": evaluation,
        "measured": evaluation.measured,
        "part": PART_NAMES[results.part],
        "few": evaluation.measured.actors <= FEW_ACTORS,
        "joined": evaluation.measured.actors <= MOST_NAMED,
        "rows": rows,
        "seeds": len(seeds),
        "gain": evaluation.against(evaluation.model, evaluation.best_branch) if results.is_fusion else None,
        "warnings": warnings(results),
        "pretrained": _pretrained(results.config),
        "model": _model_sections(evaluation.of_model),
        "by_actor": Markup(_actors(results, evaluation)),
        "weights": _weights(results),
        "adapted": Markup(learning_curve_figure(evaluation.adapted)) if evaluation.adapted else "",
        "draws": DRAWS,
        "seconds": _seconds(results),
        "versions": results.folds[0].versions,
    }


def _pretrained(config: str) -> dict[str, PretrainedPart]:
    given = yaml.safe_load(config)
    return pretrained_parts(given.get("model") or {}) if isinstance(given, dict) else {}


def _model_sections(model: SystemScores) -> dict[str, Any]:
    """Tables and figures of the model, for the macros of macros.html.j2."""
    predictions, risk, calibration = model.predictions, model.risk, model.calibration
    counts = predictions.confusions().sum(axis=0)
    actors = by_actor(predictions)
    multiples = zip(predictions.classes, calibration.class_errors, calibration.class_bins, strict=True)
    return {
        "confusion": Markup(confusion_figure(counts, predictions.classes)),
        "by_class": list(zip(by_class(counts, predictions.classes), model.measured.recalls, strict=True)),
        "worst_actor": min(actors, key=lambda row: row.accuracy),
        "best_actor": max(actors, key=lambda row: row.accuracy),
        "reliability": Markup(reliability_figure(calibration.bins)),
        "class_reliability": [
            (name, error, Markup(class_reliability_figure(bins))) for name, error, bins in multiples
        ],
        "risk": Markup(risk_figure(risk)),
        "half": risk.risk[(len(risk.risk) - 1) // 2],
        "confidence": float(predictions.confidence.mean()),
    }


def _actors(results: Results, evaluation: Evaluation) -> str:
    """Figure of accuracy by actor; of the rules of a cross-validation, only the chosen one is shown."""
    if not results.systems[1:] and not results.branches:
        rows: list[ActorRow] = by_actor(evaluation.of_model.predictions)
        mean = evaluation.measured.scores["accuracy"].value
        return actors_figure(rows, mean, evaluation.chance["accuracy"])
    shown = [of for of in results.systems if not of.way or of.name == results.chosen.name]
    return actor_strips(evaluation, [results.label(of) for of in shown], evaluation.chance["accuracy"])


def actor_strips(evaluation: Evaluation, labels: list[str], chance: float | None = None) -> str:
    """Plot the accuracy of each actor under some of the systems."""
    systems = {label: evaluation.systems[label] for label in labels}
    accuracies = {
        label: {actor: scores["accuracy"] for actor, scores in of.actors.items()}
        for label, of in systems.items()
    }
    means = {label: of.measured.scores["accuracy"].value for label, of in systems.items()}
    return strip_figure(accuracies, means, chance)


def _other_tasks(results: RunResults, evaluation: Evaluation) -> Iterator[tuple[str, tuple[Scores, Scores]]]:
    """Scores and chance of every task but the first."""
    for task, scores in evaluation.of_model.folds[0][results.part].items():
        if task != results.task:
            labels = results.output[results.part].labels[task]
            yield task, (scores, chance(labels[labels != UNLABELLED].numpy()))


def _weights(results: Results) -> Markup | None:
    """Figure of the weights of the chosen rule over folds and seeds, for each way."""
    shares: dict[str, dict[str, list[float]]] = {}
    for system in results.rules:
        known = shares_by_fold(results, system, results.task)
        if system.name == results.chosen.name and known:
            title = {"val": "validation clips", "oof": "out of fold"}[system.way] if system.way else "share"
            shares[title] = {name: [of[name] for of in known] for name in known[0]}
    return Markup(weights_figure(shares)) if shares else None


def shares_by_fold(results: Results, system: System, task: str) -> list[dict[str, float]]:
    """The learned weights of a rule in each fold; empty for a rule without weights."""
    learned = [fold.weights[system][task].shares for fold in results.folds if system in fold.weights]
    return [of for of in learned if of]


def _seconds(results: Results) -> dict[str, float]:
    """Stage -> total wall time of all folds and seeds."""
    spent: dict[str, float] = {}
    for fold in results.folds:
        for stage, seconds in fold.seconds.items():
            spent[stage] = spent.get(stage, 0.0) + seconds
    return spent


def _curves(curves: Mapping[str, Path], task: str) -> Iterator[tuple[str, Markup]]:
    """Branch or model, and the SVG of its learning curves."""
    losses = {"train/loss": "training loss", f"val/{task}/nll": "validation loss"}
    scores = {f"val/{task}/accuracy": "validation accuracy", f"val/{task}/uar": "validation UAR"}
    for name, path in curves.items():
        read = read_curves(path, [*losses, *scores])
        if read:
            upper = {label: read[key] for key, label in losses.items() if key in read}
            lower = {label: read[key] for key, label in scores.items() if key in read}
            yield name, Markup(curves_figure(upper, lower))
