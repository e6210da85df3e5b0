"""Keeps two processes from the same fold, on one machine or on several that share a folder."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

from lightning_emorec.runs.folder import open_lock


def try_lock(folder: Path) -> IO[str] | None:
    """Lock a folder; None if another process holds it.

    A child that inherits the file's descriptor holds the lock too: a fold whose `fit` outlives a killed
    cross-validation stays locked until that `fit` has ended.

    Returns:
        An open file: closing it gives the lock back.

    Raises:
        EmorecError: The folder cannot be written.
    """
    file = open_lock(folder)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
