"""Result files of a sweep: the best trial's config and a table of all trials."""

from __future__ import annotations

from collections.abc import Sequence

import optuna
import yaml
from optuna.trial import FrozenTrial, TrialState

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.commands.sweep.file import Goal
from lightning_emorec.commands.sweep.study import SharedStudy
from lightning_emorec.commands.sweep.trial import RUN
from lightning_emorec.evaluation.writers import as_csv
from lightning_emorec.nested import as_yaml

BEST = "best.yaml"
TABLE = "trials.csv"

STATES = {
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "stopped early",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


def write_results(shared: SharedStudy) -> None:
    """Write trials.csv and, if a trial is complete, best.yaml into the folder of the sweep."""
    with shared.locked():
        columns = ["trial", "state", shared.file.metric, "epochs", "seconds", "reason", *shared.file.space]
        rows = [{"trial": str(of.number), **_row(of, shared.file.metric)} for of in shared.trials]
        write_atomically(shared.folder / TABLE, as_csv(columns, rows))
        if shared.best:
            write_atomically(shared.folder / BEST, _best_config(shared, shared.best))


def importances(shared: SharedStudy) -> dict[str, float]:
    """Parameter -> share of the variance of scores that it explains, decreasing (PED-ANOVA, Watanabe et al. 2023).

    Empty if fewer than four trials are complete, or if all scores are equal.
    """
    scores = [trial.value for trial in shared.trials if trial.state == TrialState.COMPLETE]
    if len(scores) < 4 or len(set(scores)) < 2:
        return {}
    return optuna.importance.get_param_importances(shared.study)


def by_score(trials: Sequence[FrozenTrial], goal: Goal) -> list[FrozenTrial]:
    """The complete trials, the best first, and then the others."""

    def rank(trial: FrozenTrial) -> tuple[bool, float]:
        value = trial.value if trial.value is not None else 0.0
        return trial.state != TrialState.COMPLETE, -value if goal == "maximize" else value

    return sorted(trials, key=rank)


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
    """The config of the best trial's run, with a new name and a test after the fit."""
    file = shared.folder_of(best.number) / RUN / "config.yaml"
    config = yaml.safe_load(file.read_text(encoding="utf8"))
    config |= {"name": f"{shared.folder.name}_best", "test_after_fit": True}
    score = f"{shared.file.metric} {best.value:.4f}"
    head = (
        f"# python -m lightning_emorec fit --config {shared.folder / BEST}\n# Trial {best.number}, {score}.\n"
    )
    return head + as_yaml(config)
