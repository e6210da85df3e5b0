"""Advisory file locks (`flock`), which the system releases when a process exits or is killed.

They work between machines that share the disk. A child process that inherits the descriptor
(`Popen(pass_fds=[lock.fileno()])`) holds the lock too, until it exits.
"""

from __future__ import annotations

import fcntl
import logging
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)

Lock = IO[str]
"""An open file, and so a context manager; closing it releases the lock of this process."""


def try_lock(file: Path) -> Lock | None:
    """Create a file (and its folder) and lock it; None if another process holds the lock."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = file.open("a", encoding="utf8")  # which leaves alone what the holder has written
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def lock(file: Path, brief: bool = False) -> Lock:
    """Create a file (and its folder) and lock it; waits while another process holds the lock.

    Args:
        file: The file.
        brief: It is held for moments only, so that no warning says that it is waited for.
    """
    if (held := try_lock(file)) is not None:
        return held
    if not brief:
        log.warning("waiting for the lock %s, which another process holds", file)
    waiting = file.open("a", encoding="utf8")
    fcntl.flock(waiting, fcntl.LOCK_EX)
    return waiting
