"""Run folders: chosen once, continued when unfinished, never overwritten."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.errors import EmorecError

log = logging.getLogger(__name__)

FINGERPRINT = "fingerprint"
DONE = "done"
LOCK = "lock"


def is_done(folder: Path) -> bool:
    """Whether the run in this folder came to its end."""
    return (folder / DONE).is_file()


def mark_done(folder: Path) -> None:
    """Say that everything the run leaves is in place; the last thing a run writes."""
    write_atomically(folder / DONE, "")


def claim_run_folder(runs: Path, name: str, fingerprint: str, held: ExitStack) -> Path:
    """The folder of a run: `name`, or `name-2` and so on where that is taken by another run.

    An unfinished folder with the same fingerprint, in which no process is at work, is continued.

    Args:
        runs: Folder of all runs.
        name: May hold slashes.
        fingerprint: Of this run.
        held: Gets the lock that keeps other processes out of the folder.

    Raises:
        EmorecError: The folder cannot be written.
    """
    number = 1
    while True:
        folder = runs / (name if number == 1 else f"{name}-{number}")
        with ExitStack() as attempt:
            if attempt.enter_context(_lock(folder, wait=False)) and _is_ours(folder, fingerprint):
                held.enter_context(attempt.pop_all())
                return folder
        number += 1


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a run folder; waits for one that is in it."""
    with _lock(folder, wait=True):
        yield


def _is_ours(folder: Path, fingerprint: str) -> bool:
    file = folder / FINGERPRINT
    if not file.is_file():
        if any(path.name != LOCK for path in folder.iterdir()):
            return False
        write_atomically(file, fingerprint)
        return True
    if is_done(folder) or file.read_text(encoding="utf8") != fingerprint:
        return False
    log.info("going on with the unfinished run in %s", folder)
    return True


def open_lock(folder: Path) -> IO[str]:
    """The file that a folder is locked by, which is made with it.

    Raises:
        EmorecError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / LOCK).open("w", encoding="utf8")
    except OSError as error:
        found = f"{folder}: {error.strerror}"
        raise EmorecError("a folder for runs that can be written", found, "choose another --runs") from error


@contextmanager
def _lock(folder: Path, wait: bool) -> Iterator[bool]:
    """Yield whether the lock is held. It goes with the process: a killed run leaves none behind."""
    with open_lock(folder) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                yield False
                return
            log.warning("another process is at work in %s: waiting for it", folder)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield True
