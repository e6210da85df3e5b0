"""A child process, usually a `fit`, and what its log says went wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TypeVar

from lightning_emorec.locks import Lock

LOG = "fit.log"
BEGIN = "\n== "  # before the title of each child in a log
PATIENCE_S = 60.0  # for a child to leave its checkpoint after it was interrupted

Result = TypeVar("Result")

Work = Generator["Child", None, Result]
"""Child processes, one after the other: yields the one that runs, each time it is resumed, until all have ended."""


def fit_command(*arguments: str) -> list[str]:
    """The command line of a `fit`."""
    return [sys.executable, "-m", "lightning_emorec", "fit", *arguments]


class Child:
    """A process in the foreground, or with a log and in the background.

    In the foreground it writes where this process writes, and a terminal sends Ctrl-C to both. In the background it
    has a session of its own: Ctrl-C reaches this process alone, which passes it on once.

    Args:
        command: What to run.
        environment: Of the child.
        log: Makes it run in the background. Its output is appended, after the title.
        title: Separates its output from that of the children before it.
        lock: Held by the child too, in case this process is killed.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path | None = None,
        title: str = "",
        lock: Lock | None = None,
    ) -> None:
        self._in_background = log is not None
        self._patience_until = 0.0
        with log.open("ab") if log else nullcontext() as output:
            if output:
                output.write(f"{BEGIN}{title}\n".encode())
                output.flush()
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL if output else None,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                pass_fds=[lock.fileno()] if lock else [],
                start_new_session=self._in_background,
            )

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    def until_ended(self) -> Work[int]:
        """Yield the child while it runs; return its exit status."""
        while (status := self.poll()) is None:
            yield self
        return status

    def interrupt(self, which: signal.Signals = signal.SIGINT) -> None:
        """Ask it, and the processes it started, to stop after leaving a checkpoint; does not wait.

        Args:
            which: The signal that asked this process to stop.
        """
        self._patience_until = time.monotonic() + PATIENCE_S
        if self._in_background:
            self._signal_session(signal.SIGINT)
        elif (
            which != signal.SIGINT
        ):  # a terminal's Ctrl-C has reached it, but a scheduler may signal one process alone
            self._process.send_signal(which)

    def stop(self) -> Work[None]:
        """Interrupt it and yield it while it stops."""
        self.interrupt()
        while self.poll() is None and time.monotonic() < self._patience_until:
            yield self
        self.kill()

    def wait(self) -> None:
        """Wait until it has stopped after it was interrupted; in the background it is ended if it takes too long."""
        patience_s = max(0.0, self._patience_until - time.monotonic())
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(patience_s if self._in_background else None)
        self.kill()

    def kill(self) -> None:
        """End one in the background that still runs, with the processes it started."""
        if self._in_background:
            self._signal_session(signal.SIGKILL)
            self._process.wait()

    def _signal_session(self, which: signal.Signals) -> None:
        if self.poll() is None:
            os.killpg(self._process.pid, which)


def last_error(log: Path) -> str:
    """Why the last child in a log failed: its last `EmorecError`, wherever a traceback has it, else its last line."""
    output = log.read_text(encoding="utf8", errors="replace").rpartition(BEGIN)[2]
    lines = [line.strip() for line in output.split("\n")[1:] if line.strip()]
    ours = [line for line in lines if "expected " in line and "; found " in line]
    return (ours or lines or ["no output"])[-1]
