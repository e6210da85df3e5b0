"""`python -m lightning_emorec sweep`."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from lightning_emorec.errors import EmorecError, UnavailableError

if TYPE_CHECKING:
    from lightning_emorec.commands.sweep.study import SharedStudy

log = logging.getLogger(__name__)

SHOWN = 5
"""Trials in the table on the terminal."""


def sweep(
    file: str,
    trials: int = 20,
    jobs: int = 1,
    sampler: Literal["tpe", "grid", "random"] | None = None,
    seed: int = 1,
    name: str | None = None,
    runs: str = "runs",
    fit_args: list[str] | None = None,
) -> Path:
    """Run the trials of a W&B sweep file on this machine, without an account.

    Run again, it goes on where it was stopped, up to the number of trials. Several processes or machines that
    share the folder of runs work on one sweep: start the same command in each.

    Args:
        file: A sweep file, as those in sweeps/.
        trials: How many in all, those that failed or were stopped early included; a grid may have fewer.
        jobs: Trials at a time, each in a process of its own; with several GPUs they take turns on them.
        sampler: How values are chosen; by default as the file's method says: tpe for bayes, grid or random.
        seed: Settles what is drawn.
        name: Of the folder of results, `runs/sweeps/NAME`; by default the file's.
        runs: Folder of all runs.
        fit_args: Further arguments of every `fit`: everything after `--`.

    Returns:
        The folder of results.

    Raises:
        EmorecError: A file that cannot be used, a folder that holds another sweep, or no trial that did not fail.
    """
    if find_spec("optuna") is None:
        raise UnavailableError("the package optuna", "none", "pip install -c constraints.txt -e '.[sweep]'")
    from lightning_emorec.commands.sweep.file import read_sweep
    from lightning_emorec.commands.sweep.page import write_sweep_page
    from lightning_emorec.commands.sweep.results import write_results
    from lightning_emorec.commands.sweep.run import run_trials
    from lightning_emorec.commands.sweep.study import SAMPLERS, SharedStudy

    if trials < 1 or jobs < 1:
        raise EmorecError("at least 1 trial and 1 job", f"{trials} and {jobs}", "set --trials and --jobs")
    given = read_sweep(Path(file))
    chosen = sampler or SAMPLERS[given.method]
    shared = SharedStudy(Path(runs), name or given.name, given, fit_args or [], chosen, trials, seed)
    log.info("%s: %d of %d trials have ended", shared.folder, len(shared.ended), shared.wanted)
    try:
        run_trials(shared, fit_args or [], jobs, lambda: write_results(shared))
    finally:
        write_results(shared)
        page = write_sweep_page(shared)
    _refuse_if_none_ran(shared)
    _print(shared, page)
    return shared.folder


def _refuse_if_none_ran(shared: SharedStudy) -> None:
    failed = [trial for trial in shared.ended if "reason" in trial.user_attrs]
    if failed and shared.best is None:
        found = f"{len(failed)} that failed, the first by: {failed[0].user_attrs['reason']}"
        fix = f"see {shared.folder_of(failed[0].number)}, delete {shared.folder} and start anew"
        raise EmorecError("a trial that runs to its end", found, fix)


def _print(shared: SharedStudy, page: Path) -> None:
    from lightning_emorec.commands.sweep.page import short, shown
    from lightning_emorec.commands.sweep.results import BEST, by_score
    from lightning_emorec.evaluation.table import Line, headed, print_scores

    best = shared.best
    if best is None:
        return
    console, metric = Console(), shared.file.metric
    ranked = by_score(shared.ended, shared.file.goal)[:SHOWN]
    trials = [Line(str(trial.number), [shown(trial.value)]) for trial in ranked]
    print_scores(console, headed(False, shared.folder.name), ["trial", metric], trials)
    values = [Line(short(name), [shown(value)]) for name, value in best.params.items()]
    print_scores(console, headed(False, "the best trial"), ["parameter", f"of trial {best.number}"], values)
    console.print(f"best: python -m lightning_emorec fit --config {shared.folder / BEST}", soft_wrap=True)
    console.print(f"report {page}", soft_wrap=True)
