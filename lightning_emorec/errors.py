"""Errors that end as one line for the user, and what asks a process to stop."""

from __future__ import annotations

import errno
import signal

FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""`OSError.errno` of a write without room: on the disk, in a quota, or in the largest file that is allowed."""


class EmorecError(Exception):
    """A mistake that the user can mend, told in one line.

    Args:
        expected: What would have been right, e.g. `"a readable audio file"`.
        found: What there was instead, naming the file, clip, actor or key.
        fix: What to do, naming the knob.
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
