"""Runs jobs in child processes, several at a time."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, cast

from lightning_emorec.errors import Stopped
from lightning_emorec.jobs.child import Child, Result, Work, fit_command
from lightning_emorec.jobs.environments import Environment
from lightning_emorec.jobs.signals import STOPS, stopped_by, stops_deferred

POLL_S = 0.2


class Job(Protocol):
    """A unit of work that runs one or more child processes in sequence."""

    @property
    def label(self) -> str:
        """Current activity, shown in a progress bar."""

    def run(self, environment: Environment) -> Work[None]:
        """Start the child processes in the given environment, one after the other."""


@dataclass
class _Slot:
    work: Work[None]
    job: Job
    environment: Environment
    child: Child | None = None


class Pool:
    """Runs as many jobs at a time as there are environments.

    Args:
        next_job: Called while a slot is free; returns None if no job can start now.
        environments: One for each job that runs at a time.
    """

    def __init__(self, next_job: Callable[[], Job | None], environments: Sequence[Environment]) -> None:
        self._next_job = next_job
        self._free = list(environments)
        self._running: list[_Slot] = []
        self._error: Exception | None = None

    def run(self, show: Callable[[str], object] = bool) -> None:
        """Run jobs until none is left. After an exception in one, running jobs are finished and no other is started.

        Args:
            show: Called every `POLL_S` with the labels of the running jobs; by default nothing is shown.

        Raises:
            KeyboardInterrupt: After Ctrl-C, SIGTERM or SIGUSR1 (`Stopped`), when all children have ended.
            Exception: The first exception raised by a job.
        """
        with stopped_by(signal.SIGINT, *STOPS):
            try:
                while self._turn():
                    show(", ".join(slot.job.label for slot in self._running))
                    time.sleep(POLL_S)
                show("")
            except KeyboardInterrupt as stop:
                show("stopping")
                self._stop(stop.which if isinstance(stop, Stopped) else signal.SIGINT)
                raise
            finally:
                self._stop(signal.SIGINT)
        if self._error is not None:
            raise self._error

    def _turn(self) -> bool:
        """Resume running jobs and start new ones; return whether any job is running.

        Signals are deferred: an interrupt could lose a started child, or leave a job's journal locked.
        """
        with stops_deferred():
            for slot in list(self._running):
                self._resume(slot)
            while self._free and self._error is None and (job := self._next_job()) is not None:
                environment = self._free.pop(0)
                self._running.append(slot := _Slot(job.run(environment), job, environment))
                self._resume(slot)
        return bool(self._running)

    def _resume(self, slot: _Slot) -> None:
        try:
            slot.child = next(slot.work, None)
            if slot.child is not None:
                return
        except Exception as error:
            self._error = self._error or error
        self._running.remove(slot)
        self._free.append(slot.environment)

    def _stop(self, which: signal.Signals) -> None:
        """Interrupt all running children at once and wait for them; a second Ctrl-C kills them."""
        children = [slot.child for slot in self._running if slot.child is not None]
        for child in children:
            child.interrupt(which)
        try:
            for child in children:
                child.wait()
        finally:
            for child in children:
                child.kill()
            for slot in self._running:
                slot.work.close()
            self._running.clear()


@dataclass
class _Task(Generic[Result]):
    work: Callable[[Environment], Work[Result]]
    label: str = ""
    result: Result | None = None

    def run(self, environment: Environment) -> Work[None]:
        self.result = yield from self.work(environment)


def side_by_side(
    tasks: Sequence[Callable[[Environment], Work[Result]]], environments: Sequence[Environment]
) -> list[Result]:
    """Run as many tasks at a time as there are environments, and return their results in order.

    After an exception in a task, running tasks are finished, no other is started, and the exception is raised.
    """
    jobs = [_Task(task) for task in tasks]
    waiting = iter(jobs)
    Pool(lambda: next(waiting, None), environments).run()
    return [cast(Result, job.result) for job in jobs]


def run_fit(config: Path, environment: Mapping[str, str]) -> int:
    """Run `fit --config` in the foreground and return its exit status."""

    def fit(environment: Environment) -> Work[int]:
        return Child(fit_command("--config", str(config)), environment).until_ended()

    [status] = side_by_side([fit], [dict(environment)])
    return status
