"""Run folders: chosen once, continued when unfinished, never overwritten."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.errors import EmorecError
from lightning_emorec.locks import Lock, lock, try_lock

log = logging.getLogger(__name__)

FINGERPRINT = "fingerprint"
DONE = "done"
LOCK = "lock"

Held = TypeVar("Held", Lock, Lock | None)


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
        if (taken := try_lock_folder(folder)) is not None:
            with ExitStack() as attempt:
                attempt.enter_context(taken)
                if _is_ours(folder, fingerprint):
                    held.enter_context(attempt.pop_all())
                    return folder
        number += 1


def lock_folder(folder: Path) -> Lock:
    """Keep other processes out of a run folder; waits for one that holds it.

    Raises:
        EmorecError: The folder cannot be written.
    """
    return _lock_in(folder, lock)


def try_lock_folder(folder: Path) -> Lock | None:
    """Keep other processes out of a run folder; None if one of them holds it.

    Raises:
        EmorecError: The folder cannot be written.
    """
    return _lock_in(folder, try_lock)


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


def _lock_in(folder: Path, lock_file: Callable[[Path], Held]) -> Held:
    try:
        return lock_file(folder / LOCK)
    except OSError as error:
        found = f"{folder}: {error.strerror}"
        raise EmorecError("a folder for runs that can be written", found, "choose another --runs") from error
