"""Trials: each is a `fit` in a child process, with its logged scores reported to the study after each epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from functools import cached_property

import yaml
from optuna.trial import TrialState

from lightning_emorec.commands.sweep.study import SharedStudy, TrialLease
from lightning_emorec.evaluation.curves import read_column
from lightning_emorec.jobs.child import LOG, Child, Work, fit_command, last_error
from lightning_emorec.jobs.environments import Environment, environments
from lightning_emorec.jobs.pool import Pool
from lightning_emorec.progress import progress_bar
from lightning_emorec.runs.folder import is_done

RUN = "run"  # folder of the run, within that of the trial


class TrialRun:
    """Runs a trial; a `Job` of the pool. `ended` is called when the trial has ended."""

    def __init__(
        self, shared: SharedStudy, lease: TrialLease, fit_args: list[str], ended: Callable[[], None]
    ) -> None:
        self._shared = shared
        self._trial = lease.trial
        self._lock = lease.lock
        self._fit_args = fit_args
        self._ended = ended
        self._started = time.monotonic()
        self._log = lease.folder / LOG
        self._folder = lease.folder / RUN
        frozen = shared.study.get_trials(deepcopy=False)[lease.trial.number]
        self._epoch = frozen.last_step or 0  # the last reported epoch, counted from 1

    @property
    def label(self) -> str:
        """As in `trial 3 epoch 7`."""
        return f"trial {self._trial.number} epoch {self._epoch}"

    def run(self, environment: Environment) -> Work[None]:
        """Run the `fit` until it ends or is pruned."""
        with self._lock:
            # The `fit` of a killed sweep may have finished afterwards.
            status = 0 if is_done(self._folder) else (yield from self._fit(environment))
            if status is not None:
                self._conclude(status)
        self._ended()

    def _fit(self, environment: Environment) -> Work[int | None]:
        """Run the `fit` and return its exit status; None if it was stopped early."""
        runs = self._shared.runs
        command = fit_command(
            *self._shared.file.arguments(self._trial.params),
            *self._fit_args,
            *("--name", str(self._folder.relative_to(runs)), "--runs", str(runs), "--trainer.logger=null"),
        )
        child = Child(command, environment, self._log, " ".join(command), self._lock)
        while (status := child.poll()) is None:
            if self._report(self._logged()):
                self._tell(TrialState.PRUNED)
                yield from child.stop()
                return None
            yield child
        return status

    def _conclude(self, status: int) -> None:
        """Record the result of a trial that was not stopped early."""
        if status:
            self._fail(f"exit status {status}: {last_error(self._log)}")
        elif not is_done(self._folder):  # `fit` chose another folder
            self._fail(f"{self._folder} was begun with another config, data or version: set another --name")
        elif logged := self._logged():
            self._report(logged)
            self._tell(TrialState.COMPLETE, logged[-1][1])
        else:
            self._fail(f"{self._shared.file.metric} was not logged, see {self._folder / 'metrics.csv'}")

    def _logged(self) -> list[tuple[int, float]]:
        return read_column(self._folder / "metrics.csv", self._shared.file.metric)

    def _report(self, logged: list[tuple[int, float]]) -> bool:
        """Report the best score so far after each new epoch; return whether to stop the trial.

        The best score is reported because the checkpoint of the best epoch is kept. `should_prune` is called for every
        epoch, also of a trial that has ended, because only this call records the trial's score for its rung.
        """
        prune = False
        for epoch, best in self._best_so_far(logged):
            if epoch > self._epoch:
                self._trial.report(best, epoch)
                self._epoch = epoch
                prune = prune or self._trial.should_prune()
        return prune

    def _best_so_far(self, logged: list[tuple[int, float]]) -> Iterator[tuple[int, float]]:
        """Each epoch, counted from 1, with the best score up to it."""
        better = max if self._shared.file.goal == "maximize" else min
        so_far: list[float] = []
        for epoch, value in sorted(dict(logged).items()):
            if epoch >= self._epochs:  # the best checkpoint, evaluated once more after the last epoch
                return
            so_far = [better([*so_far, value])]
            yield epoch + 1, so_far[0]

    @cached_property
    def _epochs(self) -> float:
        """Maximum number of epochs, from the run's config, which exists once a score is logged."""
        config = yaml.safe_load((self._folder / "config.yaml").read_text(encoding="utf8"))
        epochs = config["trainer"]["max_epochs"]
        return math.inf if epochs in (None, -1) else int(epochs)

    def _tell(self, state: TrialState, value: float | None = None) -> None:
        self._trial.set_user_attr("seconds", round(time.monotonic() - self._started, 1))
        self._shared.study.tell(self._trial, value, state=state)

    def _fail(self, reason: str) -> None:
        self._trial.set_user_attr("reason", reason)
        self._tell(TrialState.FAIL)


def run_trials(shared: SharedStudy, fit_args: list[str], jobs: int, ended: Callable[[], None]) -> None:
    """Run the trials of a study, `jobs` at a time, with the GPUs assigned in turn.

    A trial that fails does not stop the others. `ended` is called after each trial.
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
