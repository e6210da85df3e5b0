"""Errors that are reported to the user in one line, and their exit statuses."""

from __future__ import annotations

import errno
import re
import signal
from traceback import walk_tb

FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""`OSError.errno` of a write that exceeds the disk, a quota or the allowed file size."""

_WORKER_DIED = re.compile(r"DataLoader worker \(pid.*")  # torch's message for a killed worker process

# The last line of torch's message for an EmorecError in a worker process; torch loses the type of the error.
_WORKER_FAILED = re.compile(r"(?:Emorec|Unavailable)Error: (expected .*)")

_CONTINUE = "run the same command again to go on from what is done"


class EmorecError(Exception):
    """A mistake that the user can correct, reported in one line.

    Args:
        expected: What is required, e.g. `"a readable audio file"`.
        found: What was found instead, with the name of the file, clip, actor or key.
        fix: What to do, with the name of the flag or key.
    """

    def __init__(self, expected: str, found: str, fix: str) -> None:
        super().__init__(f"expected {expected}; found {found}; {fix}")
        self.expected = expected
        self.found = found
        self.fix = fix

    def __reduce__(self) -> tuple[type[EmorecError], tuple[str, str, str]]:
        """Support pickling, so that an error in a worker process keeps its type."""
        return type(self), (self.expected, self.found, self.fix)


class UnavailableError(EmorecError):
    """Pretrained weights or an optional package are not available; `missing_branch: skip` leaves the branch out."""


class Stopped(KeyboardInterrupt):
    """A signal to stop this process; a KeyboardInterrupt, so that the cleanup is the same as after Ctrl-C."""

    def __init__(self, which: signal.Signals) -> None:
        super().__init__(which)
        self.which = which


def line_and_status(error: BaseException) -> tuple[str, int] | None:
    """The line on stderr and the exit status for an error that ends the process.

    Returns:
        Status 2 for an error that the user can correct, 128 + the signal's number after a signal; None for a bug,
        which is shown with its traceback.
    """
    if isinstance(error, SystemExit):  # raised by Lightning after Ctrl-C
        cause = error.__context__
        return line_and_status(cause) if isinstance(cause, KeyboardInterrupt) else None
    if isinstance(error, Stopped):
        return f"stopped by {error.which.name}: {_CONTINUE}", 128 + error.which
    if isinstance(error, KeyboardInterrupt):
        return f"interrupted: {_CONTINUE}", 128 + signal.SIGINT
    reason = _correctable(error)
    return None if reason is None else (f"error: {reason}", 2)


def _correctable(error: BaseException) -> str | None:
    """The message of an error that the user can correct."""
    if isinstance(error, OSError) and error.errno in FULL_DISK:
        where = f" for {error.filename}" if error.filename else ""
        return f"expected free space on the disk; found none{where}; free some and {_CONTINUE}"
    if isinstance(error, RuntimeError) and (failed := _WORKER_FAILED.search(str(error))):
        return failed[1]
    if (died := _dead_worker(error)) is not None:
        fix = f"if memory ran out, set fewer --data.workers (0: none) or a smaller --data.batch_size; then {_CONTINUE}"
        return f"expected every data.workers process to stay alive; found {died}; {fix}"
    if isinstance(error, RuntimeError) and str(error) == "Could not determine home directory.":  # pathlib's
        return "expected paths without ~, or a home folder; found no home folder; set HOME, or write the paths in full"
    # jsonargparse wraps the exception of a constructor.
    ours = error.__cause__ if isinstance(error, ValueError) else error
    return str(ours) if isinstance(ours, EmorecError) else None


def _dead_worker(error: BaseException) -> str | None:
    """Which worker process has been killed; None where that is not what has happened."""
    if isinstance(error, RuntimeError) and (died := _WORKER_DIED.search(str(error))):
        return died[0].strip()
    # A worker that is killed while its batch is taken over ends the connection before torch looks whether it is alive.
    if isinstance(error, ConnectionError | EOFError | FileNotFoundError) and any(
        frame.f_code.co_name == "rebuild_storage_fd" for frame, _ in walk_tb(error.__traceback__)
    ):
        return "DataLoader worker (pid unknown) gone while its batch was taken over"
    return None
