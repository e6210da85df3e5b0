"""What a sweep leaves: the best trial's config and a table of all trials."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import optuna
import yaml
from optuna.trial import FrozenTrial, TrialState

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.commands.sweep.file import Goal
from lightning_emorec.commands.sweep.study import SharedStudy
from lightning_emorec.commands.sweep.trial import RUN
from lightning_emorec.evaluation.writers import as_csv

BEST = "best.yaml"
TABLE = "trials.csv"

STATES = {
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "stopped early",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


def write_results(shared: SharedStudy) -> None:
    """Write trials.csv and, if a trial ran to its end, best.yaml into the folder of the sweep."""
    with shared.locked():
        columns = ["trial", "state", shared.file.metric, "epochs", "seconds", "reason", *shared.file.space]
        rows = [{"trial": str(of.number), **_row(of, shared.file.metric)} for of in shared.trials]
        write_atomically(shared.folder / TABLE, as_csv(columns, rows))
        if shared.best:
            write_atomically(shared.folder / BEST, _best_config(shared, shared.best))


def importances(shared: SharedStudy) -> dict[str, float]:
    """Parameter -> share of the spread of scores that it explains, falling (PED-ANOVA, Watanabe et al. 2023).

    Empty where fewer than four trials ran to their end, or all have one score: there is nothing to explain then.
    """
    scores = [trial.value for trial in shared.trials if trial.state == TrialState.COMPLETE]
    if len(scores) < 4 or len(set(scores)) < 2:
        return {}
    return optuna.importance.get_param_importances(shared.study)


def by_score(trials: Sequence[FrozenTrial], goal: Goal) -> list[FrozenTrial]:
    """Those that ran to their end, the best first, and then the others."""

    def rank(trial: FrozenTrial) -> tuple[bool, float]:
        value = trial.value if trial.value is not None else 0.0
        return trial.state != TrialState.COMPLETE, -value if goal == "maximize" else value

    return sorted(trials, key=rank)


def run_folder(shared: SharedStudy, trial: FrozenTrial) -> Path:
    """The folder of a trial's run."""
    return shared.folder_of(trial.number) / RUN


def _row(trial: FrozenTrial, metric: str) -> dict[str, str]:
    row = {
        "state": STATES[trial.state],
        metric: "" if trial.value is None else f"{trial.value:.6f}",
        "epochs": str(trial.last_step or ""),
        "seconds": str(trial.user_attrs.get("seconds", "")),
        "reason": str(trial.user_attrs.get("reason", "")),
    }
    return row | {name: str(value) for name, value in trial.params.items()}


def _best_config(shared: SharedStudy, best: FrozenTrial) -> str:
    """The config that the best trial's run left, to be run and tested under a name of its own."""
    file = run_folder(shared, best) / "config.yaml"
    config = yaml.safe_load(file.read_text(encoding="utf8"))
    config |= {"name": f"{shared.folder.name}_best", "test_after_fit": True}
    score = f"{shared.file.metric} {best.value:.4f}"
    head = (
        f"# python -m lightning_emorec fit --config {shared.folder / BEST}\n# Trial {best.number}, {score}.\n"
    )
    return head + yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
