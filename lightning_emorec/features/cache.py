"""Feature values on disk, so that each is computed once for all runs."""

from __future__ import annotations

import io
import json
import logging
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

import numpy as np

from lightning_emorec.audio import AudioStore
from lightning_emorec.errors import EmorecError
from lightning_emorec.features.claims import claims
from lightning_emorec.features.feature import Feature, Value
from lightning_emorec.progress import progress_bar
from lightning_emorec.sqlite_store import (
    connect,
    drop_connection,
    is_damage,
    kept_connection,
    result_code,
    set_aside,
)
from lightning_emorec.types import Clip

log = logging.getLogger(__name__)

_TABLE = (
    "CREATE TABLE IF NOT EXISTS features (digest TEXT PRIMARY KEY, crc INTEGER NOT NULL, value BLOB NOT NULL)"
)
_NPY_MAGIC = b"\x93NUMPY"

_FEWEST = 32
"""Values that a process takes upon itself at once, where so many are missing: with each lot a model is loaded anew."""

_UNKEPT_S = 1.0
"""Time to compute what a killed process loses: a commit waits for the disk, longer than a cheap value takes."""

_PAUSE_S = 0.5
"""Between two looks at what other processes have computed."""


class LostValueError(EmorecError):
    """A value that the cache does not hold, or not whole."""


class FeatureCache:
    """Values of features by the content of the audio they were made from.

    One SQLite file a feature, in `folder/features/`. Values are committed for each second of computing, so what a
    run that broke off has computed is there for the next one. The cache can be pickled, forked and used by several
    processes at once, which share among themselves what is missing.

    Args:
        folder: Root of the caches of a user or a project.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "features"

    def missing(self, feature: Feature, clips: Sequence[Clip], digests: Sequence[str]) -> dict[str, Clip]:
        """Digest -> clip whose value is missing; equal audio is there once."""
        wanted = dict(zip(digests, clips, strict=True)) if feature.from_audio else {}
        known = _known_digests(self._path(feature.stored_as)) if wanted else set()
        return {digest: clip for digest, clip in wanted.items() if digest not in known}

    def fill(
        self,
        feature: Feature,
        clips: Sequence[Clip],
        digests: Sequence[str],
        audio: AudioStore,
        show: bool = True,
    ) -> None:
        """Compute the values that are missing; a feature that is not made from audio is left alone.

        What another process is computing is waited for, and not computed here.

        Args:
            feature: What to compute.
            clips: Clips whose values will be asked for.
            digests: Content digest of each clip's audio; equal audio is computed once.
            audio: Where the feature finds the decoded audio.
            show: A progress bar; of several processes on one terminal, one has it.
        """
        missing = self.missing(feature, clips, digests)
        if not missing:
            return
        path = self._path(feature.stored_as)
        total = len(missing)
        with progress_bar(show=show) as progress, claims(path.with_suffix(".claims")) as claimed:
            task = progress.add_task(feature.activity, total=total)
            while missing:
                with _explained(path):
                    mine = claimed.take(list(missing), max(_FEWEST, len(missing) // 4))
                missing = self.missing(feature, list(missing.values()), list(missing))  # by now
                progress.update(task, completed=total - len(missing))
                lot = {digest: missing.pop(digest) for digest in mine if digest in missing}
                for _ in self._computed(feature, lot, audio):
                    progress.advance(task)
                if not mine:
                    time.sleep(_PAUSE_S)

    def _computed(self, feature: Feature, lot: Mapping[str, Clip], audio: AudioStore) -> Iterator[None]:
        """Compute and keep the values of these clips, by digest; yields after each."""
        if not lot:
            return
        path = self._path(feature.stored_as)
        rows: list[tuple[str, int, bytes]] = []
        with closing(_open(path)) as connection:

            def keep() -> None:
                some, insert = rows.copy(), "INSERT OR REPLACE INTO features VALUES (?, ?, ?)"
                rows.clear()
                with _explained(path):
                    try:
                        with connection:
                            connection.executemany(insert, some)
                    except sqlite3.DatabaseError:  # a disk that is nearly full has room for the first of them
                        for row in some:
                            with connection:
                                connection.execute(insert, row)

            begun = time.monotonic()
            values = zip(lot, feature.compute(list(lot.values()), audio), strict=True)
            try:
                for number, (digest, value) in enumerate(values, start=1):
                    blob = _pack(value)
                    rows.append((digest, zlib.crc32(blob), blob))
                    # By the mean time of a value, since a feature may give those of a batch together, after a minute.
                    if len(rows) * (time.monotonic() - begun) / number >= _UNKEPT_S:
                        keep()
                    yield
            finally:
                keep()

    def get(self, stored_as: str, digest: str) -> Value:
        """Value of the clip whose audio has this digest.

        Args:
            stored_as: The feature's; asked for by name because a name costs a hash and this is called often.
            digest: Of the audio.

        Raises:
            LostValueError: There is none, or a damaged one, which is removed.
        """
        path = self._path(stored_as)
        row = _row(path, digest, last_try=False) or _row(path, digest, last_try=True)
        if row is None or zlib.crc32(row[1]) != row[0]:
            if row is not None:
                log.warning("%s has a damaged value: it is computed anew", path)
                with _explained(path), closing(_open(path)) as connection, connection:
                    # Not what another process has put in its place since.
                    connection.execute(
                        "DELETE FROM features WHERE digest = ? AND crc IS ? AND value IS ?", (digest, *row)
                    )
            raise LostValueError(
                f"the value of {stored_as} for the audio {digest} in {path}",
                "none" if row is None else "a damaged one",
                "start again: what is missing is computed anew",
            )
        return _unpack(row[1])

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.sqlite"


def _known_digests(path: Path) -> set[str]:
    """Digests of the rows, whose values are checked when they are read; what is no database is set aside."""
    if not path.exists():
        return set()
    try:
        with closing(connect(path, _TABLE)) as connection:
            return {digest for (digest,) in connection.execute("SELECT digest FROM features")}
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise _in_one_line(error, path) from error
        set_aside(path, error)
        return set()


def _row(path: Path, digest: str, last_try: bool) -> tuple[int, bytes] | None:
    """Checksum and value, over the connection that this thread keeps; it is closed where there is no sound row.

    The file may have been replaced since the connection was opened, so that a first failure says nothing of the file.
    """
    query = "SELECT crc, value FROM features WHERE digest = ?"
    try:
        if (row := kept_connection(path, _TABLE).execute(query, (digest,)).fetchone()) is not None:
            return cast("tuple[int, bytes]", row)
    except (sqlite3.DatabaseError, OSError) as error:
        if last_try:
            drop_connection(path)
            if not (isinstance(error, sqlite3.DatabaseError) and is_damage(error)):
                raise _in_one_line(error, path) from error
            set_aside(path, error)
    drop_connection(path)
    return None


def _open(path: Path) -> sqlite3.Connection:
    with _explained(path):
        return connect(path, _TABLE)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Each error of the file becomes one line for the user."""
    try:
        yield
    except (sqlite3.DatabaseError, OSError) as error:
        raise _in_one_line(error, path) from error


def _in_one_line(error: sqlite3.DatabaseError | OSError, path: Path) -> EmorecError:
    if isinstance(error, sqlite3.DatabaseError) and result_code(error) == sqlite3.SQLITE_FULL:
        return EmorecError(
            "room on the disk for computed features",
            f"a full disk at {path.parent}",
            "free some space or choose another cache folder, and start again: what was computed is kept",
        )
    return EmorecError(
        "a cache folder that can be read and written",
        f"{path}: {error}",
        "correct its permissions, or set --data.cache or EMOREC_CACHE to another folder",
    )


def _pack(value: Value) -> bytes:
    if isinstance(value, dict):
        return json.dumps(value).encode()
    buffer = io.BytesIO()
    np.save(buffer, value, allow_pickle=False)
    return buffer.getvalue()


def _unpack(blob: bytes) -> Value:
    if blob.startswith(_NPY_MAGIC):
        return cast(Value, np.load(io.BytesIO(blob), allow_pickle=False))
    return cast(Value, json.loads(blob))
