"""Sound files below a folder, and errors of a disk, in one line each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning_emorec.errors import FULL_DISK, EmorecError


@contextmanager
def writing(folder: Path, needed_bytes: int) -> Iterator[None]:
    """Turn a failure to write within the block into an `EmorecError`.

    Args:
        folder: Where the block writes; it, or a parent of it, exists.
        needed_bytes: Free space that the block needs in all.

    Raises:
        EmorecError: The disk is full, or the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL_DISK:
            free_bytes = shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free
            raise EmorecError(
                f"{needed_bytes / 1e6:,.0f} MB of free space in {folder}",
                f"a full disk ({free_bytes / 1e6:,.0f} MB free)",
                "free some space and run again, or choose another folder with --data.corpus.root",
            ) from error
        raise EmorecError(
            f"a folder {folder} that can be written",
            str(error),
            "mend it, or choose another folder with --data.corpus.root",
        ) from error


def sound_files(root: Path, suffixes: Collection[str]) -> list[Path]:
    """List the files below a folder that have one of these suffixes, as paths within it, nearest to it first.

    Links are followed: actors' folders may be links. Hidden files are litter of other systems or half unpacked.
    """
    found = [
        (Path(folder) / name).relative_to(root)
        for folder, _, names in os.walk(root, followlinks=True)
        for name in names
        if Path(name).suffix.lower() in suffixes
    ]
    shown = [path for path in found if not any(part.startswith(".") for part in path.parts)]
    return sorted(shown, key=lambda path: (len(path.parts), path))
