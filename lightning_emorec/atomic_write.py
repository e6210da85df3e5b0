"""Atomic file writes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write into, which takes the place of `path`, made with its folder, when the block ends.

    A reader sees the whole of it or what was there before. Of several writers, the last to end is the one who counts.

    Raises:
        OSError: The folder cannot be written or the disk is full; nothing remains.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own, for else two writers would take away each other's.
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}.unfinished")
    try:
        with unfinished.open("xb") as file:
            yield file
        unfinished.replace(path)
    except OSError as error:
        error.filename = str(path)  # the error of a full disk has none
        raise
    finally:
        unfinished.unlink(missing_ok=True)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file in one step: a reader sees the whole of it or none; text is in UTF-8."""
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
