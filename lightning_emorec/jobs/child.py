"""A child process, usually a `fit`, and the reason of its failure as found in its log."""

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
PATIENCE_S = 60.0  # for a child to save its checkpoint after it was interrupted

Result = TypeVar("Result")

Work = Generator["Child", None, Result]
"""Child processes in sequence: each `next` yields the child that is running; ends when the last child has ended."""


def fit_command(*arguments: str) -> list[str]:
    """The command line of a `fit`."""
    return [sys.executable, "-m", "lightning_emorec", "fit", *arguments]


class Child:
    """A process in the foreground, or with a log and in the background.

    In the foreground the child inherits stdout and stderr, and a terminal sends Ctrl-C to both processes. In the
    background the child has its own session: Ctrl-C reaches only this process, which forwards it once.

    Args:
        log: Runs the child in the background and appends its output to this file.
        title: Written to the log before the output of this child.
        lock: Inherited by the child, so that the lock stays held if this process is killed.
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
        """Interrupt the child and its descendants, which save a checkpoint and exit; does not wait.

        `which` is the signal that this process received.
        """
        self._patience_until = time.monotonic() + PATIENCE_S
        if self._in_background:
            self._signal_session(signal.SIGINT)
        elif (
            which != signal.SIGINT
        ):  # the terminal sends Ctrl-C to the child too; a scheduler may signal only us
            self._process.send_signal(which)

    def stop(self) -> Work[None]:
        """Interrupt the child and yield it until it has exited; kill it after `PATIENCE_S`."""
        self.interrupt()
        while self.poll() is None and time.monotonic() < self._patience_until:
            yield self
        self.kill()

    def wait(self) -> None:
        """Wait for the interrupted child to exit; a child in the background is killed after `PATIENCE_S`."""
        patience_s = max(0.0, self._patience_until - time.monotonic())
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(patience_s if self._in_background else None)
        self.kill()

    def kill(self) -> None:
        """Kill a child in the background that is still running, and its descendants."""
        if self._in_background:
            self._signal_session(signal.SIGKILL)
            self._process.wait()

    def _signal_session(self, which: signal.Signals) -> None:
        if self.poll() is None:
            os.killpg(self._process.pid, which)


def last_error(log: Path) -> str:
    """The reason why the last child in a log failed: its last `EmorecError` message, else its last line of output."""
    output = log.read_text(encoding="utf8", errors="replace").rpartition(BEGIN)[2]
    lines = [line.strip() for line in output.split("\n")[1:] if line.strip()]
    ours = [line for line in lines if "expected " in line and "; found " in line]
    return (ours or lines or ["no output"])[-1]
