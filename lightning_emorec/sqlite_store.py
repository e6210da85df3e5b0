"""SQLite files that several processes share, on a network disk too, and that can be made anew."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

PATIENCE_S = 120.0
"""How long to wait for another process's write: it takes milliseconds, but a network disk may stall."""


def connect(path: Path, table: str) -> sqlite3.Connection:
    """Open a file, made with its folder, and its table.

    The journal is SQLite's default one, because the write-ahead log needs shared memory, which network disks lack.

    Args:
        path: The file.
        table: CREATE TABLE IF NOT EXISTS ...

    Raises:
        OSError: The folder cannot be made.
        sqlite3.DatabaseError: The file cannot be opened or is damaged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=PATIENCE_S)
    try:
        connection.execute(table)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def result_code(error: sqlite3.DatabaseError) -> int:
    """SQLite's primary result code; the higher bits of the extended one hold details."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file itself is damaged; a new one would not help where it is locked, read-only or on a full disk."""
    return result_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_aside(path: Path, reason: object) -> None:
    """Make room for a new file, and keep the damaged one beside it."""
    aside = path.with_name(f"{path.name}.damaged")
    log.warning("%s is damaged (%s): moved to %s and built anew", path, reason, aside.name)
    # A journal left beside it would be played back into the new file.
    path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
    with suppress(FileNotFoundError):  # another process was faster
        path.replace(aside)
