"""crossval.html: what a cross-validation found, on one page for people who were not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.commands.crossval.figures import weights_figure
from lightning_emorec.commands.crossval.judge import warnings
from lightning_emorec.commands.crossval.results import CrossvalResults, System, Way
from lightning_emorec.commands.crossval.summary import learned_weights, system_scores, temperature_spread
from lightning_emorec.commands.crossval.table import how_solved
from lightning_emorec.evaluation.actor_plots import MOST_NAMED, strip_figure
from lightning_emorec.evaluation.error_analysis import Answers
from lightning_emorec.evaluation.evaluate import Judgement
from lightning_emorec.evaluation.leaderboard import chance, oracle
from lightning_emorec.evaluation.page import FEW_ACTORS, render
from lightning_emorec.evaluation.sections import model_sections

PAGE = "crossval.html"
TITLES: dict[Way | None, str] = {
    None: "Branches",
    "val": "Rules, solved on the validation clips",
    "oof": "Rules, solved out of fold",
}


def write_page(results: CrossvalResults, judgement: Judgement, folder: Path) -> Path:
    """Write one page that needs no network and no other file.

    Args:
        results: What was found.
        judgement: How far it can be trusted.
        folder: Of the cross-validation.

    Returns:
        The path of the page.
    """
    write_atomically(folder / PAGE, render(f"{PAGE}.j2", _content(results, judgement), "commands/crossval"))
    return folder / PAGE


def _content(results: CrossvalResults, judgement: Judgement) -> dict[str, Any]:
    task, first = results.task, results.seeds[0]
    pooled = results.pooled(results.chosen, first)
    by_chance = chance(pooled, task)
    branches = [system for system in results.systems if system.way is None]
    of_branches = [results.pooled(system, first) for system in branches]
    ways = list(dict.fromkeys(system.way for system in results.systems))
    return {
        "cv": results,
        "judgement": judgement,
        "classes": results.tasks[task],
        "chance": by_chance,
        "oracle": oracle(pooled, of_branches, task) if len(branches) > 1 else None,
        "few": judgement.measured.actors <= FEW_ACTORS,
        "joined": judgement.measured.actors <= MOST_NAMED,
        "gain": judgement.against(judgement.model, judgement.best_branch) if results.chosen.way else None,
        "by_way": judgement.against(judgement.model, System(results.chosen.name, "val").label),
        "sections": {TITLES[way]: [of for of in results.systems if of.way == way] for way in ways},
        "scored": {of.label: system_scores(results, of)[task] for of in results.systems},
        "warnings": warnings(results),
        "by_actor": Markup(_strips(results, judgement, by_chance["accuracy"])),
        "model": model_sections(judgement, Answers.of(pooled, task, results.tasks[task]), results.clips),
        "weights": _weights(results),
        "learned": _learned(results),
        "branches": [system.name for system in branches],
        "how_solved": how_solved(results),
        "seconds": _seconds(results),
    }


def _strips(results: CrossvalResults, judgement: Judgement, by_chance: float) -> str:
    """The branches and the chosen rule, either way."""
    shown = [of.label for of in results.systems if of.way is None or of.name == results.chosen.name]
    accuracies = {
        label: {actor: scores["accuracy"] for actor, scores in judgement.actors[label].items()}
        for label in shown
    }
    means = {label: judgement.systems[label].scores["accuracy"].value for label in shown}
    return strip_figure(accuracies, means, by_chance)


def _weights(results: CrossvalResults) -> Markup | None:
    """The chosen rule's, either way."""
    shares: dict[str, dict[str, list[float]]] = {}
    for system in results.systems:
        if system.way and system.name == results.chosen.name:
            given = [cell.weights[system][results.task].shares for cell in results.cells]
            known = [of for of in given if of is not None]
            if known:
                title = {"val": "validation clips", "oof": "out of fold"}[system.way]
                shares[title] = {name: [of[name] for of in known] for name in known[0]}
    return Markup(weights_figure(shares)) if shares else None


def _learned(results: CrossvalResults) -> list[dict[str, Any]]:
    """What each rule that learns weights learned."""
    learned = {system: found for system in results.systems if (found := learned_weights(results, system))}
    return [
        {"rule": system, "shares": shares, "temperature": temperature_spread(results, system, results.task)}
        for system, shares in learned.items()
    ]


def _seconds(results: CrossvalResults) -> dict[str, float]:
    """Stage -> wall time over all folds and seeds."""
    spent: dict[str, float] = {}
    for cell in results.cells:
        for stage, seconds in cell.seconds.items():
            spent[stage] = spent.get(stage, 0.0) + seconds
    return spent
