"""One trial: a `fit` in a child process, whose logged scores are reported after each epoch."""

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
from lightning_emorec.jobs.environments import Environment
from lightning_emorec.runs.folder import is_done

RUN = "run"  # folder of the run, within that of the trial


class TrialRun:
    """A trial that runs.

    Args:
        shared: The study.
        lease: Which trial.
        fit_args: Further arguments of `fit`.
        ended: Called when the trial has ended.
    """

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
        self._epoch = frozen.last_step or 0  # the last that was reported, counted from 1

    @property
    def label(self) -> str:
        """As in `trial 3 epoch 7`."""
        return f"trial {self._trial.number} epoch {self._epoch}"

    def run(self, environment: Environment) -> Work[None]:
        """Run the `fit` to its end, or until its scores fall behind."""
        with self._lock:
            # The `fit` of a killed sweep may have finished by itself.
            status = 0 if is_done(self._folder) else (yield from self._fit(environment))
            if status is not None:
                self._conclude(status)
        self._ended()

    def _fit(self, environment: Environment) -> Work[int | None]:
        """Exit status of the `fit`; None if it was stopped early."""
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
        """Record how a trial ended that was not stopped early."""
        if status:
            self._fail(f"exit status {status}: {last_error(self._log)}")
        elif not is_done(self._folder):  # `fit` chose another folder
            self._fail(
                f"{self._folder} was begun with another config, data or version: give the sweep another --name"
            )
        elif logged := self._logged():
            self._report(logged)
            self._tell(TrialState.COMPLETE, logged[-1][1])
        else:
            self._fail(f"{self._shared.file.metric} was not logged, see {self._folder / 'metrics.csv'}")

    def _logged(self) -> list[tuple[int, float]]:
        return read_column(self._folder / "metrics.csv", self._shared.file.metric)

    def _report(self, logged: list[tuple[int, float]]) -> bool:
        """Report the best score so far after each new epoch; whether the trial should be stopped.

        The best, since the checkpoint of the best epoch counts. The pruner is asked after each epoch, also of a trial
        that has ended: only then does it record what the trial reached, to compare others with.
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
        """The largest number that the run may take; its config is there once a score is logged."""
        config = yaml.safe_load((self._folder / "config.yaml").read_text(encoding="utf8"))
        epochs = config["trainer"]["max_epochs"]
        return math.inf if epochs in (None, -1) else int(epochs)

    def _tell(self, state: TrialState, value: float | None = None) -> None:
        self._trial.set_user_attr("seconds", round(time.monotonic() - self._started, 1))
        self._shared.study.tell(self._trial, value, state=state)

    def _fail(self, reason: str) -> None:
        self._trial.set_user_attr("reason", reason)
        self._tell(TrialState.FAIL)
