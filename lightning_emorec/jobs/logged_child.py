"""A `fit` that runs in the background and writes what it says to the end of a log."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

BEGIN = "\n== "  # before the title of each child in a log
PATIENCE_S = 60.0  # for a `fit` to leave its checkpoint after Ctrl-C


class LoggedChild:
    """A child in a process group of its own: Ctrl-C reaches this process alone, which passes it on once.

    Args:
        command: What to run.
        environment: Of the child.
        log: Gets the title and all that the child says, after what is there.
        title: Tells the child from those before it in the log.
        lock: Held by the child too, in case this process is killed.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        title: str,
        lock: IO[str],
    ) -> None:
        with log.open("ab") as output:
            output.write(f"{BEGIN}{title}\n".encode())
            output.flush()
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[lock.fileno()],
                start_new_session=True,
            )

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll()

    def interrupt(self) -> None:
        """Tell it, and the processes it started, to stop after leaving a checkpoint; does not wait."""
        self._signal(signal.SIGINT)

    def wait(self) -> None:
        """Wait for it to stop after it was interrupted, and end it if it does not."""
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, which: signal.Signals) -> None:
        if self.poll() is None:
            os.killpg(self._process.pid, which)
