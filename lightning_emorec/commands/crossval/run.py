"""Runs cells, several at a time, and shows how far they are."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lightning_emorec.commands.crossval.cells import Cell
from lightning_emorec.commands.crossval.work import Work
from lightning_emorec.distributed.launch import environment_alone
from lightning_emorec.errors import EmorecError
from lightning_emorec.runs.folder import try_lock_folder

log = logging.getLogger(__name__)

POLL_S = 0.2


@dataclass
class Outcome:
    """What became of the cells that were not done before.

    Attributes:
        failed: A cell's name -> what went wrong.
        elsewhere: Names of cells that another process is at work on.
    """

    failed: dict[str, EmorecError] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)


def run_cells(cells: Sequence[Cell], jobs: int, finish: Callable[[Cell], None]) -> Outcome:
    """Run cells, `jobs` at a time. One that fails does not stop the others.

    Args:
        cells: In the order they are started in.
        jobs: How many at a time; with several GPUs, each takes its turn on one of them.
        finish: Called for each cell whose `fit`s are all done, while it is locked.

    Raises:
        KeyboardInterrupt: After Ctrl-C or SIGTERM; all children have then stopped.
    """
    pool = _Pool(cells, environments(jobs), finish)
    with terminated_as_interrupted(), _progress() as progress:
        bar = progress.add_task("", total=sum(len(cell.steps) for cell in cells))
        try:
            while pool.turn():
                progress.update(bar, completed=pool.done, description=pool.description)
                time.sleep(POLL_S)
            progress.update(bar, completed=pool.done, description="")
        except KeyboardInterrupt:
            progress.update(bar, description="stopping")
            raise
        finally:
            pool.stop()
    return pool.outcome


class _Pool:
    """Cells that wait and cells that run.

    Args:
        cells: To run.
        environments: One for each cell that runs at a time.
        finish: As in `run_cells`.
    """

    def __init__(
        self, cells: Sequence[Cell], environments: list[dict[str, str]], finish: Callable[[Cell], None]
    ) -> None:
        self.outcome = Outcome()
        self.done = sum(step.is_done for cell in cells for step in cell.steps)
        self._waiting = deque(cells)
        self._free = environments
        self._running: list[tuple[Work, dict[str, str]]] = []
        self._finish = finish

    @property
    def description(self) -> str:
        """What runs now."""
        at_work = [f"{work.cell.name} {work.current.label}" for work, _ in self._running if work.current]
        return ", ".join(at_work)

    def turn(self) -> bool:
        """Start what may start, and see what has ended; whether there is more to do."""
        while self._waiting and self._free:
            self._start(self._waiting.popleft())
        for entry in list(self._running):
            if self._has_ended(entry[0]):
                self._running.remove(entry)
                self._free.append(entry[1])
                entry[0].close()
        return bool(self._waiting or self._running)

    def stop(self) -> None:
        """Interrupt whatever runs, all at once, and wait for it."""
        for work, _ in self._running:
            work.interrupt()
        for work, _ in self._running:
            work.close()

    def _start(self, cell: Cell) -> None:
        lock = try_lock_folder(cell.folder)
        if lock is None:
            log.info("%s: another process is at work on it", cell.name)
            self.outcome.elsewhere.append(cell.name)
            return
        environment = self._free.pop(0)
        self._running.append((Work(cell, lock, environment), environment))

    def _has_ended(self, work: Work) -> bool:
        left = work.left
        try:
            if not work.advance():
                self.done += left - work.left
                return False
            self.done += left
            self._finish(work.cell)
        except EmorecError as error:
            log.error("%s", error)
            self.outcome.failed[work.cell.name] = error
        return True


def environments(jobs: int) -> list[dict[str, str]]:
    """One for each job: a share of the cores, and one of the GPUs in turn."""
    own = {**environment_alone(os.environ), "PYTHONUNBUFFERED": "1"}
    if jobs == 1:
        return [own]
    own.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = visible.split(",") if visible else [str(gpu) for gpu in range(torch.cuda.device_count())]
    return [{**own, "CUDA_VISIBLE_DEVICES": gpus[job % len(gpus)]} if gpus else own for job in range(jobs)]


def _progress() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Stop at SIGTERM as at Ctrl-C, and at Ctrl-C even if a shell has started us with it ignored.

    Children inherit what is ignored, and could then not be interrupted either.
    """
    with _stopped_by(signal.default_int_handler):
        yield


@contextmanager
def interrupted_afterwards() -> Iterator[None]:
    """Put Ctrl-C and SIGTERM off until the block has ended."""
    asked: list[int] = []
    with _stopped_by(lambda number, _: asked.append(number)):
        yield
    if asked:
        raise KeyboardInterrupt


@contextmanager
def _stopped_by(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    stops = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(which, handler) for which in stops]
    try:
        yield
    finally:
        for which, handler_before in zip(stops, before, strict=True):
            signal.signal(which, handler_before)
