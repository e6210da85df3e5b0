"""Runs the `fit`s of one cell, one after the other, each in a child process that writes to the cell's log."""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import yaml

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.commands.crossval.cells import Cell, Step
from lightning_emorec.errors import EmorecError
from lightning_emorec.jobs.logged_child import LoggedChild

log = logging.getLogger(__name__)

LOG = "fit.log"
FIT_CONFIG = "fit.yaml"


class Work:
    """A cell that is being computed.

    Args:
        cell: Which.
        lock: On the cell's folder.
        environment: For its children.
    """

    def __init__(self, cell: Cell, lock: IO[str], environment: Mapping[str, str]) -> None:
        self.cell = cell
        self.current: Step | None = None
        self._lock = lock
        self._environment = environment
        self._steps = deque(step for step in cell.steps if not step.is_done)
        self._child: LoggedChild | None = None

    @property
    def log_file(self) -> Path:
        """What all its children say."""
        return self.cell.folder / LOG

    @property
    def left(self) -> int:
        """How many `fit`s are not done yet."""
        return len(self._steps) + (self._child is not None)

    def advance(self) -> bool:
        """Start the next `fit` if none runs; does not wait.

        Returns:
            Whether all are done.

        Raises:
            EmorecError: One failed; its last line is told.
        """
        if self._child is not None:
            code = self._child.poll()
            if code is None:
                return False
            self._child = None
            if code or self.current is None or not self.current.is_done:
                raise self._failure(code)
        if not self._steps:
            return True
        self.current = self._steps.popleft()
        self._child = self._start(self.current)
        return False

    def interrupt(self) -> None:
        """Tell a `fit` that runs, and the processes it started, to stop after leaving a checkpoint."""
        if self._child is not None:
            self._child.interrupt()

    def close(self) -> None:
        """Wait for a `fit` that was interrupted, end it if it does not stop, and give the lock back."""
        if self._child is not None:
            self._child.wait()
        self._lock.close()

    def _start(self, step: Step) -> LoggedChild:
        # A `fit` that is handed its folder leaves no config of its own there.
        config = step.folder / "config.yaml" if step.handed_over else self.cell.folder / FIT_CONFIG
        write_atomically(config, yaml.safe_dump(step.config, sort_keys=False, allow_unicode=True))
        command = [sys.executable, "-m", "lightning_emorec", "fit", "--config", str(config)]
        title = f"{step.label}: {step.folder}"
        if step.handed_over:
            command += ["--plan", str(step.handed_over.write())]
        return LoggedChild(command, self._environment, self.log_file, title, self._lock)

    def _failure(self, code: int | None) -> EmorecError:
        label = self.current.label if self.current else "fit"
        lines = self.log_file.read_text(encoding="utf8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
        return EmorecError(
            f"{self.cell.name}, {label}, to finish",
            f"exit status {code}, and last: {last}",
            f"see {self.log_file}, and run the same command again",
        )
