"""Where libraries keep their caches for a user without a home folder, as of a container with a foreign user id."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

from lightning_emorec.errors import EmorecError

CACHE_VARIABLE = "EMOREC_CACHE"

_USUAL = "XDG_CACHE_HOME"

_NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")
"""Where `getpass.getuser` looks before it asks the system for the user's entry."""


def settle_user_caches() -> None:
    """See that libraries find a folder for their caches, and a name of the user, where the system knows neither.

    Where `~/.cache` can be written and no other folder is named, all is left as it is. Else the first of
    `$XDG_CACHE_HOME`, `$EMOREC_CACHE` and `~/.cache` that can be written takes the place of `$XDG_CACHE_HOME`; what is
    set for a library alone, such as `$HF_HOME`, stays.

    Raises:
        EmorecError: None of these can be written.
    """
    if not any(os.environ.get(name) for name in _NAMES) and not _has_entry():
        os.environ["USER"] = f"user{os.getuid()}"  # torch names a folder after the user
    if not os.environ.get(_USUAL) and _can_be_made(_in_home(".cache")):
        return
    folder = next(filter(_can_be_made, _candidates()), None)
    if folder is None:
        named = [f"{name}={os.environ[name]}" for name in (_USUAL, CACHE_VARIABLE) if os.environ.get(name)]
        found = " and ".join(["no home folder", *named]) + " that can be written"
        raise EmorecError("a folder for caches", found, f"set {CACHE_VARIABLE} to one that can")
    os.environ[_USUAL] = str(folder)
    if not _can_be_made(_in_home(".config")):
        os.environ.setdefault("MPLCONFIGDIR", str(folder / "matplotlib"))  # it asks for the home folder first


def _has_entry() -> bool:
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    return True


def _candidates() -> Iterator[Path]:
    for variable in (_USUAL, CACHE_VARIABLE):
        if given := os.environ.get(variable):
            yield Path(os.path.expanduser(given)).absolute()  # noqa: PTH111 - as below
    yield _in_home(".cache")


def _in_home(name: str) -> Path:
    """A folder in the user's home; a relative path where no home is known."""
    return Path(os.path.expanduser("~")) / name  # noqa: PTH111 - pathlib raises where no home is known


def _can_be_made(folder: Path) -> bool:
    """Whether a folder is there and can be written, or can be made; not a relative one."""
    if not folder.is_absolute():
        return False
    # pathlib raises where a folder above may not be searched.
    there = next(path for path in (folder, *folder.parents) if os.path.exists(path))  # noqa: PTH110
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)
