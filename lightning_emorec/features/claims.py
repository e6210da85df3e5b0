"""Which process computes which values, where several fill one cache at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from lightning_emorec.locks import Lock, lock, try_lock


class Claims:
    """What this process has taken upon itself, seen by the others that share the folder.

    A process writes its digests into a file of its own, which it keeps locked: when it ends, however it ends, the
    system releases the lock, and what it has not computed is free again.

    Args:
        folder: Of the claims to one feature's values; made when first needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own: Lock | None = None

    def take(self, digests: Sequence[str], most: int) -> list[str]:
        """The first of these digests that no other process has claimed; earlier claims of this one are given up.

        Args:
            digests: What is missing.
            most: How many to take.
        """
        with lock(self.folder / "lock", brief=True):
            self.release()
            taken = {digest for claim in self._of_others() for digest in claim}
            mine = [digest for digest in digests if digest not in taken][:most]
            if mine:
                self._own = try_lock(self.folder / f"{os.getpid()}-{uuid4().hex}.claim")
                assert self._own is not None  # nobody else knows its name
                self._own.write("\n".join(mine))
                self._own.flush()
                os.fsync(self._own.fileno())  # for other machines that share the disk
        return mine

    def release(self) -> None:
        """Give up the claims of this process."""
        if self._own is not None:
            Path(self._own.name).unlink(missing_ok=True)
            self._own.close()
            self._own = None

    def _of_others(self) -> Iterator[list[str]]:
        """The claims of each process that is still there; those of others are removed."""
        for file in self.folder.glob("*.claim"):
            if (left := try_lock(file)) is None:
                with suppress(FileNotFoundError):  # given up just now: that takes no lock
                    yield file.read_text(encoding="utf8").splitlines()
            else:
                file.unlink(missing_ok=True)
                left.close()


@contextmanager
def claims(folder: Path) -> Iterator[Claims]:
    """Claims that are given up in the end."""
    made = Claims(folder)
    try:
        yield made
    finally:
        made.release()
