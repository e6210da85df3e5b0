"""SQLite files of caches: shared by several processes, also on a network disk, and rebuilt when damaged."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

PATIENCE_S = 120.0
"""Timeout for the write of another process: a write takes milliseconds, but a network disk may stall."""


_kept = threading.local()


def kept_connection(path: Path, table: str) -> sqlite3.Connection:
    """As `connect`, but one connection for all calls of this thread with this path; a forked process has its own."""
    connections: dict[Path, sqlite3.Connection] = vars(_kept).setdefault(f"of {os.getpid()}", {})
    if path not in connections:
        connections[path] = connect(path, table)
    return connections[path]


def drop_connection(path: Path) -> None:
    """Close what `kept_connection` gave, if anything: the file may have been replaced."""
    if (connection := vars(_kept).get(f"of {os.getpid()}", {}).pop(path, None)) is not None:
        connection.close()


def connect(path: Path, table: str) -> sqlite3.Connection:
    """Open or create a file, and execute `table`, a CREATE TABLE IF NOT EXISTS statement.

    Uses SQLite's default journal, because the write-ahead log needs shared memory, which network disks lack.

    Raises:
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
    """SQLite's primary result code, without the higher bits of the extended code."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file is damaged; if it is locked, read-only or on a full disk, a new file would not help."""
    return result_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_aside(path: Path, reason: object) -> None:
    """Rename a damaged file, so that a new one can be created."""
    aside = path.with_name(f"{path.name}.damaged")
    log.warning("%s is damaged (%s): moved to %s and built anew", path, reason, aside.name)
    # SQLite would replay a remaining journal into the new file.
    path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
    with suppress(FileNotFoundError):  # another process was faster
        path.replace(aside)
