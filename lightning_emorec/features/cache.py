"""Feature values on disk, so that each is computed once for all runs."""

from __future__ import annotations

import io
import json
import logging
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

import numpy as np

from lightning_emorec.audio import AudioStore
from lightning_emorec.errors import EmorecError
from lightning_emorec.features.feature import Feature, Value
from lightning_emorec.progress import progress_bar
from lightning_emorec.sqlite_store import connect, is_damage, result_code, set_aside
from lightning_emorec.types import Clip

log = logging.getLogger(__name__)

_TABLE = (
    "CREATE TABLE IF NOT EXISTS features (digest TEXT PRIMARY KEY, crc INTEGER NOT NULL, value BLOB NOT NULL)"
)
_NPY_MAGIC = b"\x93NUMPY"


class FeatureCache:
    """Values of features by the content of the audio they were made from.

    One SQLite file a feature, in `folder/features/`. Every value is committed as it comes, so what a run
    that broke off has computed is there for the next one. No connection outlives a call: the cache can be
    pickled, forked and used by several processes at once.

    Args:
        folder: Root of the caches of a user or a project.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "features"

    def missing(self, feature: Feature, clips: Sequence[Clip], digests: Sequence[str]) -> dict[str, Clip]:
        """Digest -> clip whose value is missing or damaged; equal audio is there once."""
        wanted = dict(zip(digests, clips, strict=True)) if feature.from_audio else {}
        sound = _sound_digests(self._path(feature.stored_as)) if wanted else set()
        return {digest: clip for digest, clip in wanted.items() if digest not in sound}

    def fill(
        self,
        feature: Feature,
        clips: Sequence[Clip],
        digests: Sequence[str],
        audio: AudioStore,
        show: bool = True,
    ) -> None:
        """Compute the values that are missing or damaged; a feature that is not made from audio is left alone.

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
        with closing(_open(path)) as connection, progress_bar(show=show) as progress:
            values = feature.compute(list(missing.values()), audio)
            tracked = progress.track(values, total=len(missing), description=feature.activity)
            for digest, value in zip(missing, tracked, strict=True):
                blob = _pack(value)
                with _explained(path), connection:  # commits each value: computing the next takes a while
                    row = (digest, zlib.crc32(blob), blob)
                    connection.execute("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", row)

    def get(self, stored_as: str, digest: str) -> Value:
        """Value of the clip whose audio has this digest.

        Args:
            stored_as: The feature's; asked for by name because a name costs a hash and this is called often.
            digest: Of the audio.
        """
        path = self._path(stored_as)
        with closing(_open(path)) as connection, _explained(path):
            row = connection.execute("SELECT crc, value FROM features WHERE digest = ?", (digest,)).fetchone()
        if row is None or zlib.crc32(row[1]) != row[0]:
            raise EmorecError(
                f"the value of {stored_as} for the audio {digest} in {path}",
                "none" if row is None else "a damaged one",
                "start again: what is missing is computed anew",
            )
        return _unpack(row[1])

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.sqlite"


def _sound_digests(path: Path) -> set[str]:
    """Digests of the rows whose checksum holds; a file that is no sound database is set aside."""
    if not path.exists():
        return set()
    try:
        with closing(connect(path, _TABLE)) as connection:
            report = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if report == "ok":
                rows = connection.execute("SELECT digest, crc, value FROM features")
                checked = {digest: zlib.crc32(value) == crc for digest, crc, value in rows}
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise _in_one_line(error, path) from error
        report = str(error)
    if report != "ok":
        set_aside(path, report)
        return set()
    if damaged := [digest for digest, sound in checked.items() if not sound]:
        log.warning("%s has %d damaged values: they are computed anew", path, len(damaged))
    return checked.keys() - damaged


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
