"""One trial: a `fit` in a child process, watched epoch by epoch."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import yaml
from optuna.trial import TrialState

from lightning_emorec.commands.sweep.study import Claim, SharedStudy
from lightning_emorec.evaluation.curves import read_column
from lightning_emorec.jobs.logged_child import BEGIN, LoggedChild
from lightning_emorec.runs.folder import is_done

FIT = [sys.executable, "-m", "lightning_emorec", "fit"]
LOG = "fit.log"
RUN = "run"  # folder of the run, within that of the trial


class Attempt:
    """A trial that runs.

    Args:
        shared: The study.
        claim: Which trial.
        fit_args: Further arguments of `fit`.
        environment: Of the child.
    """

    def __init__(
        self, shared: SharedStudy, claim: Claim, fit_args: list[str], environment: Mapping[str, str]
    ) -> None:
        self.trial = claim.trial
        self.folder = claim.folder
        frozen = shared.study.get_trials(deepcopy=False)[claim.trial.number]
        self.epoch = frozen.last_step or 0  # the last that was reported, counted from 1
        self._shared = shared
        self._lock = claim.lock
        self._started = time.monotonic()
        # Whoever was killed may have left a `fit` that went on to its end.
        self._child = None if is_done(self.run) else self._start(fit_args, environment)

    @property
    def run(self) -> Path:
        """The folder of its run."""
        return self.folder / RUN

    def advance(self) -> bool:
        """Report the epochs that are new, and stop the child if they are poor; whether the trial has ended."""
        code = 0 if self._child is None else self._child.poll()
        if self._child is not None and code is None:
            if self._report(self._logged()):
                self._child.interrupt()
                self._child.wait()
                self._tell(TrialState.PRUNED)
                return True
            return False
        if code:
            self._fail(f"exit status {code}: {self._last_words()}")
            return True
        if not is_done(self.run):  # `fit` chose another folder
            self._fail(f"{self.run} was begun with another config or data: give the sweep another --name")
            return True
        logged = self._logged()
        if logged:
            self._report(logged)
            self._tell(TrialState.COMPLETE, logged[-1][1])
        else:
            self._fail(f"{self._shared.file.metric} was not logged, see {self.run / 'metrics.csv'}")
        return True

    def interrupt(self) -> None:
        """Tell the child, and the processes it started, to stop after leaving a checkpoint."""
        if self._child is not None:
            self._child.interrupt()

    def close(self) -> None:
        """Wait for a child that was interrupted, end it if it does not stop, and give the trial back."""
        if self._child is not None:
            self._child.wait()
        self._lock.close()

    def _logged(self) -> list[tuple[int, float]]:
        return read_column(self.run / "metrics.csv", self._shared.file.metric)

    def _report(self, logged: list[tuple[int, float]]) -> bool:
        """Report the best score so far after each epoch that is new; whether the trial should be stopped.

        The best, since it is the best epoch's checkpoint that counts. The pruner is asked after each epoch, also of a
        trial that has ended: it is then that it notes what the trial reached, to measure others by.
        """
        better = max if self._shared.file.goal == "maximize" else min
        so_far: list[float] = []
        poor = False
        for epoch, value in sorted(dict(logged).items()):
            if epoch >= self._epochs:  # the best checkpoint, judged once more after the last epoch
                break
            so_far = [better([*so_far, value])]
            if epoch + 1 > self.epoch:
                self.trial.report(so_far[0], epoch + 1)
                self.epoch = epoch + 1
                poor = poor or self.trial.should_prune()
        return poor

    @cached_property
    def _epochs(self) -> float:
        """How many the run may take; asked once something is logged."""
        config = yaml.safe_load((self.run / "config.yaml").read_text(encoding="utf8"))
        epochs = config["trainer"]["max_epochs"]
        return math.inf if epochs in (None, -1) else int(epochs)

    def _tell(self, state: TrialState, value: float | None = None) -> None:
        self.trial.set_user_attr("seconds", round(time.monotonic() - self._started, 1))
        self._shared.study.tell(self.trial, value, state=state)

    def _fail(self, reason: str) -> None:
        self.trial.set_user_attr("reason", reason)
        self._tell(TrialState.FAIL)

    def _start(self, fit_args: list[str], environment: Mapping[str, str]) -> LoggedChild:
        runs = self._shared.runs
        command = [
            *FIT,
            *self._shared.file.arguments(self.trial.params),
            *fit_args,
            *("--name", str(self.run.relative_to(runs)), "--runs", str(runs), "--trainer.logger=null"),
        ]
        return LoggedChild(command, environment, self.folder / LOG, " ".join(command), self._lock)

    def _last_words(self) -> str:
        """What the child said went wrong: its last error of ours, wherever a traceback has it, else its last line."""
        said = (self.folder / LOG).read_text(encoding="utf8", errors="replace").rpartition(BEGIN)[2]
        lines = [line.strip() for line in said.split("\n")[1:] if line.strip()]
        ours = [line for line in lines if "expected " in line and "; found " in line]
        return (ours or lines or ["nothing said"])[-1]
