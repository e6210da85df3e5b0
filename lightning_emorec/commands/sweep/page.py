"""sweep.html: the history of a sweep, the importance of its parameters, and the best trial."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from optuna.trial import FrozenTrial, TrialState

from lightning_emorec.commands.sweep.results import BEST, STATES, by_score, importances
from lightning_emorec.commands.sweep.study import SharedStudy
from lightning_emorec.evaluation.plots import BLUE, GREY, ORANGE, WIDTH_INCHES, svg
from lightning_emorec.evaluation.report import write_page

PAGE = "sweep.html"


def write_sweep_page(shared: SharedStudy) -> Path:
    """Write sweep.html, a self-contained page, and return its path."""
    trials, best = shared.trials, shared.best
    found = importances(shared)
    content = {
        "synthetic": False,
        "name": shared.folder.name,
        "metric": shared.file.metric,
        "goal": shared.file.goal,
        "actors_left_out": shared.file.metric.endswith("_across_actors"),
        "hyperband": shared.file.hyperband,
        "trials": by_score(trials, shared.file.goal),
        "counts": {name: sum(of.state == state for of in trials) for state, name in STATES.items()},
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
        return write_page(shared.folder / PAGE, f"{PAGE}.j2", content, "commands/sweep")


def _scores(trials: list[FrozenTrial]) -> dict[int, tuple[float, bool]]:
    """Number of a trial -> its score, and whether the trial is complete."""
    return {of.number: (of.value, of.state == TrialState.COMPLETE) for of in trials if of.value is not None}


def history_figure(scores: Mapping[int, tuple[float, bool]], metric: str, goal: str) -> str:
    """Plot the score of each trial, and the best score so far.

    Args:
        scores: Number of a trial -> its score, and whether the trial is complete; at least one is.
        metric: Name of the score.
        goal: `maximize` or `minimize`.
    """
    whole = {number: score for number, (score, ran) in sorted(scores.items()) if ran}
    cut = {number: score for number, (score, ran) in scores.items() if not ran}
    better = max if goal == "maximize" else min
    so_far = [better(list(whole.values())[: place + 1]) for place in range(len(whole))]

    def paint(axes: Axes) -> None:
        axes.scatter(list(whole), list(whole.values()), color=BLUE, s=20, label="ran to its end")
        if cut:
            axes.scatter(list(cut), list(cut.values()), color=ORANGE, s=20, marker="x", label="stopped early")
        axes.step(list(whole), so_far, where="post", color=GREY, label="best so far")
        axes.set(xlabel="trial", ylabel=metric)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid()
        axes.figure.legend(loc="outside upper center", ncols=3)

    return svg((WIDTH_INCHES, 3.2), paint)


def importance_figure(shares: Mapping[str, float]) -> str:
    """Plot the importance of each parameter; `shares` are in decreasing order."""
    names = [short(name) for name in shares]

    def paint(axes: Axes) -> None:
        values = [100 * share for share in shares.values()]
        axes.barh(range(len(names)), values, color=BLUE, height=0.6)
        for row, value in enumerate(values):
            axes.text(value + 1, row, f"{value:.0f}", fontsize=7, va="center")
        axes.set_yticks(range(len(names)), names)
        axes.set(xlim=(0, 1.12 * max(values)), ylim=(len(names) - 0.4, -0.6), xlabel="share of importance, %")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")

    return svg((WIDTH_INCHES, 0.8 + 0.26 * len(names)), paint)


def short(parameter: str) -> str:
    """A parameter's name without common prefixes."""
    for prefix in ("model.init_args.", "data."):
        parameter = parameter.removeprefix(prefix)
    return parameter.replace("init_args.", "")


def shown(value: object) -> str:
    """A parameter's value with at most four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
