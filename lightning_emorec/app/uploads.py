"""What visitors send: in a folder of this process, and each recording removed after its answer."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning_emorec.audio import default_cache_folder
from lightning_emorec.errors import EmorecError
from lightning_emorec.locks import lock, try_lock


@contextmanager
def upload_folder() -> Iterator[Path]:
    """A folder that only this user can read and that goes at the end; those of killed processes go at the start.

    Raises:
        EmorecError: It cannot be made.
    """
    root = default_cache_folder() / "app"
    try:
        with lock(root / "starting"):
            for left in root.glob("*/lock"):
                if (dead := try_lock(left)) is not None:
                    shutil.rmtree(left.parent, ignore_errors=True)
                    dead.close()
            own = Path(tempfile.mkdtemp(dir=root))
            held = try_lock(own / "lock")
        (own / "files").mkdir()
    except OSError as error:
        fix = "correct its permissions, or set EMOREC_CACHE to another folder"
        raise EmorecError("a folder for recordings", f"{root}: {error.strerror}", fix) from error
    try:
        yield own / "files"
    finally:
        shutil.rmtree(own, ignore_errors=True)
        if held is not None:
            held.close()


class Uploads:
    """The recordings of visitors, each in a folder of its own below `folder`.

    Args:
        folder: That into which Gradio puts them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._latest: dict[str, Path] = {}

    def arrived(self, visitor: str, path: str | None) -> None:
        """Take note of what a visitor's page holds now; what it held before is removed."""
        before = self._latest.pop(visitor, None)
        if path is not None:
            self._latest[visitor] = Path(path)
        if before is not None and before != self._latest.get(visitor):
            self.remove(before)

    @contextmanager
    def taken(self, path: Path) -> Iterator[Path]:
        """The same file under another name, which nothing else removes; both are gone afterwards.

        Raises:
            EmorecError: The file is gone, or no upload.
        """
        if path.parent.parent != self.folder:
            raise EmorecError("an upload", f"{path}", "send the file")
        with tempfile.TemporaryDirectory(dir=self.folder) as own:
            mine = Path(own) / path.name
            try:
                os.link(path, mine)
            except FileNotFoundError as error:
                fix = "record or choose it again"
                raise EmorecError("a recording", "none: it was removed after its answer", fix) from error
            except OSError:  # a disk without hard links
                shutil.copyfile(path, mine)
            try:
                yield mine
            finally:
                self.remove(path)

    def remove(self, path: Path) -> None:
        """Remove a recording with its folder."""
        if path.parent.parent == self.folder:
            shutil.rmtree(path.parent, ignore_errors=True)
