"""Runs the trials of a study in child processes, several at a time, with a progress bar."""

from __future__ import annotations

from collections.abc import Callable

from lightning_emorec.commands.sweep.study import SharedStudy
from lightning_emorec.commands.sweep.trial import TrialRun
from lightning_emorec.jobs.environments import environments
from lightning_emorec.jobs.pool import Pool
from lightning_emorec.progress import progress_bar


def run_trials(shared: SharedStudy, fit_args: list[str], jobs: int, ended: Callable[[], None]) -> None:
    """Run trials until there are as many as are wanted. One that fails does not stop the others.

    Args:
        shared: The study.
        fit_args: Further arguments of every `fit`.
        jobs: How many at a time; with several GPUs, each takes its turn on one of them.
        ended: Called after each trial that has ended.

    Raises:
        KeyboardInterrupt: After Ctrl-C or SIGTERM; all children have then stopped.
    """

    def next_trial() -> TrialRun | None:
        lease = shared.claim()
        return None if lease is None else TrialRun(shared, lease, fit_args, ended)

    pool = Pool(next_trial, environments(jobs, one_gpu_each=True))
    with progress_bar() as progress:
        bar = progress.add_task("", total=shared.wanted)

        def show(running: str) -> None:
            best = shared.best
            parts = [f"best {best.value:.4f} (trial {best.number})"] if best else []
            text = ", ".join([*parts, running] if running else parts)
            progress.update(bar, completed=len(shared.ended), description=text)

        pool.run(show)
