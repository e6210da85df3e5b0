"""Runs the trials of a study, several at a time, and shows how far they are."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lightning_emorec.commands.crossval.run import (
    environments,
    interrupted_afterwards,
    terminated_as_interrupted,
)
from lightning_emorec.commands.sweep.attempt import Attempt
from lightning_emorec.commands.sweep.study import SharedStudy

POLL_S = 0.5


def run_trials(shared: SharedStudy, fit_args: list[str], jobs: int, ended: Callable[[], None]) -> None:
    """Run trials until there are as many as are wanted. One that fails does not stop the others.

    Args:
        shared: The study.
        fit_args: Further arguments of every `fit`.
        jobs: How many at a time; with several GPUs, each takes its turn on one of them.
        ended: Called after each trial that came to an end.

    Raises:
        KeyboardInterrupt: After Ctrl-C or SIGTERM; all children have then stopped.
    """
    pool = _Pool(shared, fit_args, environments(jobs))
    with terminated_as_interrupted(), _progress() as progress:
        bar = progress.add_task("", total=shared.wanted)
        try:
            while _turn(pool, ended):
                progress.update(bar, completed=len(shared.ended), description=pool.description)
                time.sleep(POLL_S)
            progress.update(bar, completed=len(shared.ended), description=pool.description)
        except KeyboardInterrupt:
            progress.update(bar, description="stopping")
            raise
        finally:
            pool.stop()


def _turn(pool: _Pool, ended: Callable[[], None]) -> bool:
    """A turn of the pool, whole: a journal that is interrupted in mid-write stays locked."""
    with interrupted_afterwards():
        return pool.turn(ended)


class _Pool:
    """Trials that run in this process's children.

    Args:
        shared: The study.
        fit_args: Further arguments of every `fit`.
        free: An environment for each trial that runs at a time.
    """

    def __init__(self, shared: SharedStudy, fit_args: list[str], free: list[dict[str, str]]) -> None:
        self._shared = shared
        self._fit_args = fit_args
        self._free = free
        self._running: list[tuple[Attempt, dict[str, str]]] = []

    @property
    def description(self) -> str:
        """The best so far, and what runs now."""
        best = self._shared.best
        said = [f"best {best.value:.4f} (trial {best.number})"] if best else []
        return ", ".join(said + [f"trial {one.trial.number} epoch {one.epoch}" for one, _ in self._running])

    def turn(self, ended: Callable[[], None]) -> bool:
        """Start what may start, and see what has ended; whether there is more to do."""
        for attempt, environment in list(self._running):
            if attempt.advance():
                self._running.remove((attempt, environment))
                attempt.close()
                self._free.append(environment)
                ended()
        while self._free and (claim := self._shared.claim()):
            environment = self._free.pop()
            self._running.append((Attempt(self._shared, claim, self._fit_args, environment), environment))
        return bool(self._running)

    def stop(self) -> None:
        """Interrupt whatever runs, all at once, and wait for it."""
        for attempt, _ in self._running:
            attempt.interrupt()
        for attempt, _ in self._running:
            attempt.close()


def _progress() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
