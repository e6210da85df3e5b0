"""What was found in recordings and done to them, kept beside the decoded audio."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from lightning_emorec.audio.decode import Note
from lightning_emorec.audio.remembered import QUERY_AT_ONCE, Remembered

SCHEMA = "CREATE TABLE IF NOT EXISTS notes (digest TEXT PRIMARY KEY, note TEXT)"


class NoteIndex(Remembered):
    """Notes by the digests of recordings.

    Args:
        folder: Where `notes.sqlite` lies.
    """

    def __init__(self, folder: Path) -> None:
        loss = "notes on recordings are not kept, so these are decoded again"
        super().__init__(folder / "notes.sqlite", SCHEMA, loss)

    def get(self, digests: Sequence[str]) -> dict[str, Note]:
        """Digest -> note, of those that are known."""

        def select(connection: sqlite3.Connection) -> dict[str, Note]:
            known: dict[str, Note] = {}
            for start in range(0, len(digests), QUERY_AT_ONCE):
                some = digests[start : start + QUERY_AT_ONCE]
                query = f"SELECT digest, note FROM notes WHERE digest IN ({','.join('?' * len(some))})"
                rows = connection.execute(query, some)
                known.update({digest: Note(**json.loads(note)) for digest, note in rows})
            return known

        return self.with_connection(select) or {}

    def put(self, notes: Mapping[str, Note]) -> None:
        """Keep notes by digest."""
        rows = [(digest, json.dumps(asdict(note))) for digest, note in notes.items()]

        def insert(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany("INSERT OR REPLACE INTO notes VALUES (?, ?)", rows)

        if rows:
            self.with_connection(insert)
