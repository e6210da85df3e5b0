"""Cache of the logits of a stress test, so that an interrupted test can be resumed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from lightning_emorec.errors import EmorecError
from lightning_emorec.part_logits import PartLogits

Compute = Callable[[Collection[str], Path], dict[str, PartLogits]]
"""Computes the logits of branches, given their names and a folder for their features."""


class LogitsCache:
    """One file of logits for each branch, condition and severity.

    Args:
        folder: Folder for one checkpoint and one part.
        clip_ids: The part's clips.
        content: Hash of these clips; cached logits with another hash are recomputed.
    """

    def __init__(self, folder: Path, clip_ids: Sequence[str], content: str) -> None:
        self.folder = folder
        self.clip_ids = list(clip_ids)
        self.content = content

    def get(self, where: str, branches: Collection[str], compute: Compute) -> dict[str, PartLogits]:
        """Load the branches' logits from the subfolder `where`; compute and save those that are absent.

        Features are kept until their logits are saved, so that an interrupted transcription can be resumed.
        """
        folder = self.folder / where
        known = self._known(folder, branches)
        if absent := [name for name in branches if name not in known]:
            for name, logits in compute(absent, folder).items():
                replace(logits, content=self.content).save(folder / f"{name}.pt")
                known[name] = logits
            shutil.rmtree(folder / "features", ignore_errors=True)  # FeatureCache's own folder
        return {name: known[name] for name in branches}

    def has(self, where: str, branches: Collection[str]) -> bool:
        """Whether the logits of all branches are in the subfolder `where`."""
        return len(self._known(self.folder / where, branches)) == len(branches)

    def _known(self, folder: Path, names: Collection[str]) -> dict[str, PartLogits]:
        known = {}
        for name in names:
            with suppress(EmorecError):  # absent or damaged: will be computed
                logits = PartLogits.load(folder / f"{name}.pt")
                if (logits.clip_ids, logits.content) == (self.clip_ids, self.content):
                    known[name] = logits
        return known
