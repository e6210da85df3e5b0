"""A SQLite file beside the decoded audio, of what can be found out again at the cost of time."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from lightning_emorec.sqlite_store import connect, is_damage, set_aside

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

QUERY_AT_ONCE = 500
"""Values in one query; SQLite built with old defaults takes 999 variables."""


class Remembered:
    """One table in a file of its own.

    Several processes may use it. It opens a connection for each call, so that it survives pickling and forking. A
    damaged file is set aside; one that cannot be used costs a warning.

    Args:
        path: The file; made when first needed.
        schema: CREATE TABLE IF NOT EXISTS ...
        loss: What the warning says.
    """

    def __init__(self, path: Path, schema: str, loss: str) -> None:
        self.path = path
        self._schema = schema
        self._loss = loss

    def with_connection(self, action: Callable[[sqlite3.Connection], Result]) -> Result | None:
        """What the action returns; None, with a warning, where the file cannot be used."""
        try:
            try:
                return self._run(action)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                set_aside(self.path, error)
                return self._run(action)
        except (sqlite3.Error, OSError) as error:
            logger.warning("%s: %s (%s)", self._loss, self.path, error)
            return None

    def _run(self, action: Callable[[sqlite3.Connection], Result]) -> Result:
        with closing(connect(self.path, self._schema)) as connection:
            return action(connection)
