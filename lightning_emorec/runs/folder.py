"""Run folders: locked while in use, resumed when unfinished, never overwritten."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from glob import escape
from pathlib import Path
from typing import TypeVar

from lightning_emorec import __version__
from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.errors import EmorecError
from lightning_emorec.locks import Lock, lock, try_lock

log = logging.getLogger(__name__)

FINGERPRINT = "fingerprint"
DONE = "done"
LOCK = "lock"
VERSION = "version"

UNRECORDED = "0.1.0"
"""The version that began a folder without a file `version`; later versions write one."""

BRANCH = re.compile(r"(.+)-[0-9a-f]{16}(-[0-9a-f]{8})?")
"""Folder of a trained branch: its name, its fingerprint, and a hash of the tested clips if not the run's test clips."""

Held = TypeVar("Held", Lock, Lock | None)


def is_done(folder: Path) -> bool:
    """Whether the run in this folder is complete."""
    return (folder / DONE).is_file()


def mark_done(folder: Path) -> None:
    """Mark a run as complete; the last file that a run writes."""
    write_atomically(folder / DONE, "")


def begun_by(folder: Path) -> str:
    """The version of this package that began a run folder."""
    file = folder / VERSION
    return file.read_text(encoding="utf8").strip() if file.is_file() else UNRECORDED


def record_version(folder: Path) -> None:
    """Record in a run folder that this version began it."""
    if not (folder / VERSION).is_file():
        write_atomically(folder / VERSION, f"{__version__}\n")


def claim_run_folder(runs: Path, name: str, fingerprint: str, held: ExitStack) -> Path:
    """Lock and return the folder of a run: `name`, or `name-2` and so on if other runs use it.

    An unfinished folder with the same fingerprint that no other process has locked is resumed. A folder that another
    version of this package began is not changed, with a warning. `held` receives the lock.
    """
    number = 1
    while True:
        folder = runs / (name if number == 1 else f"{name}-{number}")
        if (taken := try_lock_folder(folder)) is not None:
            with ExitStack() as attempt:
                attempt.enter_context(taken)
                if _is_ours(folder, fingerprint):
                    record_version(folder)
                    held.enter_context(attempt.pop_all())
                    return folder
        number += 1


def warn_of_other_versions(wanted: Iterable[Path]) -> None:
    """Warn once if branches are retrained in the `wanted` folders although other versions have trained them."""
    old: dict[Path, str] = {}
    for folder in wanted:
        if not folder.exists():
            name = folder.name.rpartition("-")[0]
            for other in sorted(folder.parent.glob(f"{escape(name)}-*")):
                named = BRANCH.fullmatch(other.name)
                if named and named[1] == name and (version := begun_by(other)) != __version__:
                    old[other] = version
    if old:
        first, version = next(iter(old.items()))
        log.warning(
            "%s%s was trained by version %s and is not reused by version %s, which trains its own: the folder is not "
            "changed; install version %s to use it, or delete it",
            *(first, f" (and {len(old) - 1} more)" if len(old) > 1 else "", version, __version__, version),
        )


def lock_folder(folder: Path) -> Lock:
    """Lock a run folder; waits while another process holds the lock."""
    return _lock_in(folder, lock)


def try_lock_folder(folder: Path) -> Lock | None:
    """Lock a run folder; None if another process holds the lock."""
    return _lock_in(folder, try_lock)


def _is_ours(folder: Path, fingerprint: str) -> bool:
    file = folder / FINGERPRINT
    if not file.is_file():
        if any(path.name != LOCK for path in folder.iterdir()):
            return False
        write_atomically(file, fingerprint)
        return True
    if is_done(folder):
        return False
    if file.read_text(encoding="utf8") != fingerprint:
        if (version := begun_by(folder)) != __version__:
            log.warning(
                "%s was begun by version %s and is not resumed by version %s: the folder is not changed; "
                "install version %s to finish it, or delete it",
                *(folder, version, __version__, version),
            )
        return False
    log.info("resuming the unfinished run in %s", folder)
    return True


def _lock_in(folder: Path, lock_file: Callable[[Path], Held]) -> Held:
    try:
        return lock_file(folder / LOCK)
    except OSError as error:
        found = f"{folder}: {error.strerror}"
        raise EmorecError("a folder for runs that can be written", found, "choose another --runs") from error
