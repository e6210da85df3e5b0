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
"""Number of trials in the table on the terminal."""


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

    The same command resumes a stopped sweep, up to the number of trials. Several processes or machines that share the
    folder of runs can work on one sweep: start the same command in each.

    Args:
        file: A sweep file, as those in sweeps/.
        trials: Total number of trials, including failed and stopped ones; a grid may have fewer.
        jobs: Number of trials at a time, each in a child process; several GPUs are assigned in turn.
        sampler: Search method; by default that of the file: tpe for bayes, grid or random.
        seed: Determines the draws of the sampler.
        name: Name of the folder of results, `runs/sweeps/NAME`; by default the file's.
        runs: Folder of all runs.
        fit_args: Further arguments of every `fit`: everything after `--`.

    Returns:
        The folder of results.

    Raises:
        EmorecError: An invalid file, a folder that holds another sweep, or all trials failed.
    """
    if find_spec("optuna") is None:
        raise UnavailableError("the package optuna", "none", "pip install -c constraints.txt -e '.[sweep]'")
    from lightning_emorec.commands.sweep.file import read_sweep
    from lightning_emorec.commands.sweep.page import write_sweep_page
    from lightning_emorec.commands.sweep.results import write_results
    from lightning_emorec.commands.sweep.study import SAMPLERS, SharedStudy
    from lightning_emorec.commands.sweep.trial import run_trials

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
        fix = f"see {shared.folder_of(failed[0].number)}, delete {shared.folder} and start again"
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
