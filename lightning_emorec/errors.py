"""Errors that end as one line for the user, and the exit status of each."""

from __future__ import annotations

import errno
import re
import signal

FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""`OSError.errno` of a write without room: on the disk, in a quota, or in the largest file that is allowed."""

_WORKER_DIED = re.compile(r"DataLoader worker \(pid.*")  # torch's report that a process of a loader is gone

# The end of the traceback into which torch turns an error of ours in a process of a loader; its type is lost.
_WORKER_FAILED = re.compile(r"(?:Emorec|Unavailable)Error: (expected .*)")

_CONTINUE = "run the same command again to go on from what is done"


class EmorecError(Exception):
    """A mistake that the user can correct, reported in one line.

    Args:
        expected: What would have been right, e.g. `"a readable audio file"`.
        found: What there was instead, naming the file, clip, actor or key.
        fix: What to do, naming the flag or key.
    """

    def __init__(self, expected: str, found: str, fix: str) -> None:
        super().__init__(f"expected {expected}; found {found}; {fix}")
        self.expected = expected
        self.found = found
        self.fix = fix

    def __reduce__(self) -> tuple[type[EmorecError], tuple[str, str, str]]:
        """Survive pickling, so that an error in a loader's worker keeps its type."""
        return type(self), (self.expected, self.found, self.fix)


class UnavailableError(EmorecError):
    """A pretrained part or an optional package that cannot be had here; `missing_branch: skip` catches it."""


class Stopped(KeyboardInterrupt):
    """A signal that asks this process to end; whatever cleans up after Ctrl-C does so after this too.

    Args:
        which: The signal.
    """

    def __init__(self, which: signal.Signals) -> None:
        super().__init__(which)
        self.which = which


def line_and_status(error: BaseException) -> tuple[str, int] | None:
    """What ends the process: the line on stderr, and the exit status.

    Returns:
        Status 2 for what the user can correct, 128 and the signal's number after a signal; None for a fault of the
        program, whose traceback is wanted.
    """
    if isinstance(error, SystemExit):  # Lightning's, in place of Ctrl-C's
        cause = error.__context__
        return line_and_status(cause) if isinstance(cause, KeyboardInterrupt) else None
    if isinstance(error, Stopped):
        return f"stopped by {error.which.name}: {_CONTINUE}", 128 + error.which
    if isinstance(error, KeyboardInterrupt):
        return f"interrupted: {_CONTINUE}", 128 + signal.SIGINT
    reason = _correctable(error)
    return None if reason is None else (f"error: {reason}", 2)


def _correctable(error: BaseException) -> str | None:
    """What was expected and found, if the user can correct the error."""
    if isinstance(error, OSError) and error.errno in FULL_DISK:
        where = f" for {error.filename}" if error.filename else ""
        return f"expected free space on the disk; found none{where}; free some and {_CONTINUE}"
    if isinstance(error, RuntimeError) and (failed := _WORKER_FAILED.search(str(error))):
        return failed[1]
    if isinstance(error, RuntimeError) and (died := _WORKER_DIED.search(str(error))):
        fix = f"if memory ran out, set fewer --data.workers (0: none) or a smaller --data.batch_size; then {_CONTINUE}"
        return f"expected every data.workers process to stay alive; found {died[0].strip()}; {fix}"
    # The parser wraps what a constructor raises into its own error.
    ours = error.__cause__ if isinstance(error, ValueError) else error
    return str(ours) if isinstance(ours, EmorecError) else None
