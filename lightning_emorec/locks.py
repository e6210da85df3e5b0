"""File locks that end with the processes that hold them: a killed process leaves none behind.

They are advisory (`flock`), and hold between machines that share the disk. A child process that inherits the descriptor
(`Popen(pass_fds=[lock.fileno()])`) holds the lock too, until it ends.
"""

from __future__ import annotations

import fcntl
import logging
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)

Lock = IO[str]
"""An open file; closing it releases the lock in this process. A context manager, as every file is."""


def try_lock(file: Path) -> Lock | None:
    """Lock a file, which is created with its folder; None if another process holds it.

    Raises:
        OSError: The file cannot be created.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = file.open("w", encoding="utf8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def lock(file: Path) -> Lock:
    """Lock a file, which is created with its folder; waits while another process holds it.

    Raises:
        OSError: The file cannot be created.
    """
    if (held := try_lock(file)) is not None:
        return held
    log.warning("another process holds %s: waiting for it", file)
    waiting = file.open("w", encoding="utf8")
    fcntl.flock(waiting, fcntl.LOCK_EX)
    return waiting
