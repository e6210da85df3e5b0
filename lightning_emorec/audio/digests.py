"""What a file's samples are made from: the SHA-256 of its bytes, computed once, and how its channels become one."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from lightning_emorec.audio.parallel import run_threads
from lightning_emorec.audio.reader import open_recording
from lightning_emorec.audio.remembered import QUERY_AT_ONCE, Remembered
from lightning_emorec.errors import EmorecError
from lightning_emorec.hashing import sha256_of

Row = tuple[bytes, int, int, str]
"""Absolute path, size, mtime in nanoseconds, digest."""

COMMIT_EVERY = 500
"""Files between commits: what an interruption loses at most."""

MIXED = "-mixed"
"""Behind the digest of a file of several channels. Until version 0.2.0 all of them were averaged, whatever they held:
entries and features that were made from that lie under the bare digest."""

WHOLE = "-whole"
"""Behind the digest of an MP3 that does not say its length. Until version 0.2.0 some of them were cut unseen."""

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS contents (path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, digest TEXT)"
)


class DigestIndex(Remembered):
    """Digests of files, remembered by path, size and time of change.

    A digest is the SHA-256 of a file's bytes. Behind it stands `MIXED` if the file has several channels, else `WHOLE`
    if it is an MP3 that does not say its length.

    Args:
        folder: Where `digests.sqlite` lies; made when first needed.
    """

    def __init__(self, folder: Path) -> None:
        loss = "digests are not remembered, so files are hashed again"
        super().__init__(folder / "digests.sqlite", SCHEMA, loss)

    def digests(self, paths: Sequence[Path], label: str = "Hashing files") -> list[str]:
        """One digest a path, in order.

        Raises:
            EmorecError: Files that are missing or cannot be read; all of them are counted, the first named.
        """
        found, errors = self.lookup(paths, label)
        if errors:
            raise combined(list(errors.values()))
        return [found[path] for path in paths]

    def lookup(self, paths: Sequence[Path], label: str) -> tuple[dict[Path, str], dict[Path, EmorecError]]:
        """Digests of the files that can be read, and an error for each that cannot."""
        stamps, errors = _stamps(paths)
        found = self._known(stamps)
        missing = [path for path in stamps if path not in found]
        rows: list[Row] = []
        try:
            with closing(run_threads(_digest, missing, label)) as hashings:
                for path, hashed in hashings:
                    try:
                        found[path] = hashed.result()
                    except OSError as error:
                        errors[path] = _unreadable(path, error)
                        continue
                    rows.append((_key(path), *stamps[path], found[path]))
                    if len(rows) == COMMIT_EVERY:
                        self._store(rows)
                        rows = []
        finally:
            self._store(rows)
        return found, errors

    def _known(self, stamps: dict[Path, tuple[int, int]]) -> dict[Path, str]:
        """Remembered digests of files whose size and time have not changed."""
        keys = {_key(path): path for path in stamps}

        def select(connection: sqlite3.Connection) -> dict[Path, str]:
            asked = list(keys)
            known: dict[Path, str] = {}
            for start in range(0, len(asked), QUERY_AT_ONCE):
                some = asked[start : start + QUERY_AT_ONCE]
                marks = ",".join("?" * len(some))
                query = f"SELECT path, size, mtime_ns, digest FROM contents WHERE path IN ({marks})"
                for key, size, mtime_ns, digest in connection.execute(query, some):
                    if stamps[keys[key]] == (size, mtime_ns):
                        known[keys[key]] = digest
            return known

        return self.with_connection(select) or {}

    def _store(self, rows: Sequence[Row]) -> None:
        """Remember digests, replacing those of files that have changed."""

        def insert(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany("INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?)", rows)

        if rows:
            self.with_connection(insert)


def combined(errors: Sequence[EmorecError]) -> EmorecError:
    """One error for many files: itself if alone, else the count and the first three."""
    fix = f"{errors[0].fix}, or leave out what cannot be read by --data.on_error skip"
    if len(errors) == 1:
        return EmorecError(errors[0].expected, errors[0].found, fix)
    shown = "; ".join(sorted(error.found for error in errors)[:3])
    more = f"; and {len(errors) - 3} more" if len(errors) > 3 else ""
    return EmorecError("readable audio files", f"{len(errors)} that are not: {shown}{more}", fix)


def _digest(path: Path) -> str:
    digest = sha256_of(path)
    try:
        with open_recording(path) as recording:
            if recording.channels > 1:
                return digest + MIXED
            return digest if recording.says_length else digest + WHOLE
    except EmorecError:  # decoding it raises the same
        return digest


def _stamps(paths: Sequence[Path]) -> tuple[dict[Path, tuple[int, int]], dict[Path, EmorecError]]:
    """Size and mtime of each file that is there, and an error for each that is not."""
    stamps: dict[Path, tuple[int, int]] = {}
    errors: dict[Path, EmorecError] = {}
    for path in dict.fromkeys(paths):
        try:
            status = path.stat()
        except OSError as error:
            errors[path] = _unreadable(path, error)
        else:
            stamps[path] = (status.st_size, status.st_mtime_ns)
    return stamps, errors


def _unreadable(path: Path, error: OSError) -> EmorecError:
    if isinstance(error, FileNotFoundError):
        return EmorecError("an audio file", f"no file {path}", "restore it or correct the path")
    return EmorecError("a readable file", f"{path}: {error.strerror}", "correct its permissions or the path")


def _key(path: Path) -> bytes:
    """Bytes, because a file name need not be valid text."""
    return os.fsencode(path.absolute())
