"""sweep.html: how a sweep went, what mattered, and what is best."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup
from optuna.trial import FrozenTrial, TrialState

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.commands.sweep.plots import history_figure, importance_figure, short, shown
from lightning_emorec.commands.sweep.results import BEST, STATES, by_score, importances
from lightning_emorec.commands.sweep.study import SharedStudy
from lightning_emorec.evaluation.page import render

PAGE = "sweep.html"


def write_page(shared: SharedStudy) -> Path:
    """Write one page that needs no network and no other file, into the folder of the sweep.

    Returns:
        Its path.
    """
    trials, best = shared.trials, shared.best
    found = importances(shared)
    content = {
        "name": shared.folder.name,
        "metric": shared.file.metric,
        "goal": shared.file.goal,
        "actors_left_out": shared.file.metric.endswith("_across_actors"),
        "hyperband": shared.file.hyperband,
        "trials": by_score(trials, shared.file.goal),
        "counts": {said: sum(of.state == state for of in trials) for state, said in STATES.items()},
        "states": STATES,
        "best": best,
        "space": list(shared.file.space),
        "fit": f"python -m lightning_emorec fit --config {shared.folder / BEST}",
        "history": Markup(history_figure(_scores(trials), shared.file.metric, shared.file.goal))
        if best
        else None,
        "importance": Markup(importance_figure(found)) if found else None,
        "short": short,
        "shown": shown,
        "whole": sum(trial.state == TrialState.COMPLETE for trial in trials),
    }
    with shared.locked():
        write_atomically(shared.folder / PAGE, render("sweep.html.j2", content, "commands/sweep"))
    return shared.folder / PAGE


def _scores(trials: list[FrozenTrial]) -> dict[int, tuple[float, bool]]:
    """Number -> score and whether the trial ran to its end."""
    return {of.number: (of.value, of.state == TrialState.COMPLETE) for of in trials if of.value is not None}
