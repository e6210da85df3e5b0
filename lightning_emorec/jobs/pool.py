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
    """Something that child processes do, one after the other."""

    @property
    def label(self) -> str:
        """What it is doing now, for a progress bar."""

    def run(self, environment: Environment) -> Work[None]:
        """Start its children in an environment, one when the other has ended."""


@dataclass
class _Slot:
    work: Work[None]
    job: Job
    environment: Environment
    child: Child | None = None


class Pool:
    """As many slots for jobs as there are environments.

    Args:
        next_job: Called while a slot is free; None where nothing can be begun now.
        environments: One for each job that runs at a time.
    """

    def __init__(self, next_job: Callable[[], Job | None], environments: Sequence[Environment]) -> None:
        self._next_job = next_job
        self._free = list(environments)
        self._running: list[_Slot] = []
        self._error: Exception | None = None

    def run(self, show: Callable[[str], object] = bool) -> None:
        """Run jobs until none is left. After an exception in one, the others that run are finished and none is begun.

        Args:
            show: Called again and again with what runs; by default nothing is shown.

        Raises:
            KeyboardInterrupt: After Ctrl-C, SIGTERM or SIGUSR1 (`Stopped`); all children have then ended.
            Exception: The first that a job raised.
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
        """Resume what runs, begin what can be begun; whether anything runs.

        It is not interrupted: a started child would be lost, and a journal that a job writes would stay locked.
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
            slot.child = next(slot.work)
            return
        except StopIteration:
            pass
        except Exception as error:
            self._error = self._error or error
        self._running.remove(slot)
        self._free.append(slot.environment)

    def _stop(self, which: signal.Signals) -> None:
        """Interrupt whatever runs, all at once, and wait for it; a second Ctrl-C ends it at once."""
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
    """Do tasks, as many at a time as there are environments, and return their results in order.

    If one raises an exception, those that run are finished, no other is begun, and it is raised again.
    """
    jobs = [_Task(task) for task in tasks]
    waiting = iter(jobs)
    Pool(lambda: next(waiting, None), environments).run()
    return [cast(Result, job.result) for job in jobs]


def run_fit(config: Path, environment: Mapping[str, str]) -> int:
    """Run `fit --config` in the foreground to its end; its exit status."""

    def fit(environment: Environment) -> Work[int]:
        return Child(fit_command("--config", str(config)), environment).until_ended()

    [status] = side_by_side([fit], [dict(environment)])
    return status
