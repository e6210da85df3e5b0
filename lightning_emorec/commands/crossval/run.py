"""Runs the jobs of folds in child processes, several at a time, with a progress bar."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.commands.crossval.jobs import FitStep, FoldJob
from lightning_emorec.errors import EmorecError
from lightning_emorec.jobs.child import LOG, Child, Work, fit_command, last_error
from lightning_emorec.jobs.environments import Environment, environments
from lightning_emorec.jobs.pool import Pool
from lightning_emorec.locks import Lock
from lightning_emorec.nested import as_yaml
from lightning_emorec.progress import progress_bar
from lightning_emorec.runs.folder import try_lock_folder

log = logging.getLogger(__name__)

FIT_CONFIG = "fit.yaml"


@dataclass
class Outcome:
    """Folds that this process did not finish: `failed` with their error, or running `elsewhere`, in another process."""

    failed: dict[str, EmorecError] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)


def run_folds(folds: Sequence[FoldJob], jobs: int, finish: Callable[[FoldJob], None]) -> Outcome:
    """Compute folds, `jobs` at a time, with the GPUs assigned in turn. A fold that fails does not stop the others.

    `finish` is called for each fold when all its `fit`s are done, while its folder is locked.
    """
    outcome = Outcome()
    workers = [FoldWorker(fold, finish, outcome) for fold in folds]
    waiting = iter(workers)
    pool = Pool(lambda: next(waiting, None), environments(jobs, one_gpu_each=True))
    with progress_bar() as progress:
        bar = progress.add_task("", total=sum(len(fold.steps) for fold in folds))

        def show(running: str) -> None:
            progress.update(bar, completed=sum(worker.done for worker in workers), description=running)

        pool.run(show)
    return outcome


class FoldWorker:
    """Runs the `fit`s of one fold in sequence, with their output in the fold's log; a `Job` of the pool."""

    def __init__(self, fold: FoldJob, finish: Callable[[FoldJob], None], outcome: Outcome) -> None:
        self.label = fold.name
        self.done = sum(step.is_done for step in fold.steps)
        self._fold = fold
        self._finish = finish
        self._outcome = outcome
        self._log = fold.folder / LOG

    def run(self, environment: Environment) -> Work[None]:
        """Compute the fold, unless another process has locked it."""
        lock = try_lock_folder(self._fold.folder)
        if lock is None:
            log.info("%s: running in another process", self._fold.name)
            self._outcome.elsewhere.append(self._fold.name)
            return
        with lock:
            try:
                for step in self._fold.steps:
                    if not step.is_done:
                        yield from self._fit(step, environment, lock)
                        self.done += 1
                self._finish(self._fold)
            except EmorecError as error:
                log.error("%s", error)
                self._outcome.failed[self._fold.name] = error

    def _fit(self, step: FitStep, environment: Environment, lock: Lock) -> Work[None]:
        self.label = f"{self._fold.name} {step.label}"
        # A `fit` with --plan does not write config.yaml into its folder.
        config = step.folder / "config.yaml" if step.plan else self._fold.folder / FIT_CONFIG
        write_atomically(config, as_yaml(step.config))
        plan = []
        if step.plan:
            step.plan.write()
            plan = step.plan.arguments
        child = Child(
            fit_command("--config", str(config), *plan),
            environment,
            log=self._log,
            title=f"{step.label}: {step.folder}",
            lock=lock,
        )
        status = yield from child.until_ended()
        if status or not step.is_done:
            raise EmorecError(
                f"{self._fold.name}, {step.label}, to finish",
                f"exit status {status}, and last: {last_error(self._log)}",
                f"see {self._log}, and run the same command again",
            )
