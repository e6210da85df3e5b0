"""Computes folds in child processes, several at a time, with a progress bar."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import yaml

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.commands.crossval.jobs import FitStep, FoldJob
from lightning_emorec.errors import EmorecError
from lightning_emorec.jobs.child import LOG, Child, Work, fit_command, last_error
from lightning_emorec.jobs.environments import Environment, environments
from lightning_emorec.jobs.pool import Pool
from lightning_emorec.locks import Lock
from lightning_emorec.progress import progress_bar
from lightning_emorec.runs.folder import try_lock_folder
from lightning_emorec.runs.plan import PLAN_VARIABLE

log = logging.getLogger(__name__)

FIT_CONFIG = "fit.yaml"


@dataclass
class Outcome:
    """The folds that were not finished by this process.

    Attributes:
        failed: A fold's name -> what went wrong.
        elsewhere: Names of folds that another process computes.
    """

    failed: dict[str, EmorecError] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)


def run_folds(folds: Sequence[FoldJob], jobs: int, finish: Callable[[FoldJob], None]) -> Outcome:
    """Compute folds, `jobs` at a time. One that fails does not stop the others.

    Args:
        folds: In the order they are started in.
        jobs: How many at a time; with several GPUs, each takes its turn on one of them.
        finish: Called for each fold whose `fit`s are all done, while it is locked.

    Raises:
        KeyboardInterrupt: After Ctrl-C or SIGTERM; all children have then stopped.
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
    """Runs the `fit`s of one fold, one after the other, with their output in the fold's log.

    Args:
        fold: What to compute.
        finish: As in `run_folds`.
        outcome: Gets the fold if it is not finished here.
    """

    def __init__(self, fold: FoldJob, finish: Callable[[FoldJob], None], outcome: Outcome) -> None:
        self.label = fold.name
        self.done = sum(step.is_done for step in fold.steps)
        self._fold = fold
        self._finish = finish
        self._outcome = outcome
        self._log = fold.folder / LOG

    def run(self, environment: Environment) -> Work[None]:
        """Compute the fold, unless another process does."""
        lock = try_lock_folder(self._fold.folder)
        if lock is None:
            log.info("%s: another process computes it", self._fold.name)
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
        # A `fit` that is given its plan leaves no config of its own in its folder.
        config = step.folder / "config.yaml" if step.plan else self._fold.folder / FIT_CONFIG
        write_atomically(config, yaml.safe_dump(step.config, sort_keys=False, allow_unicode=True))
        child = Child(
            fit_command("--config", str(config)),
            {**environment, PLAN_VARIABLE: step.plan.as_text()} if step.plan else environment,
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
