"""Logits that a stress test has computed, on disk, so that an interrupted test continues."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from lightning_emorec.errors import EmorecError
from lightning_emorec.part_logits import PartLogits

Compute = Callable[[Collection[str], Path], dict[str, PartLogits]]
"""From names of branches and a folder for their features to their logits."""


class LogitsCache:
    """Logits of each branch under each condition and severity, a file each.

    Args:
        folder: Of one checkpoint and one part.
        clip_ids: The part's clips.
        content: Hash of these clips: logits of others, or of clips that have changed, are computed anew.
    """

    def __init__(self, folder: Path, clip_ids: Sequence[str], content: str) -> None:
        self.folder = folder
        self.clip_ids = list(clip_ids)
        self.content = content

    def get(self, where: str, branches: Collection[str], compute: Compute) -> dict[str, PartLogits]:
        """The branches' logits; those that are absent are computed and kept.

        While they are computed, features are kept too, so that an interrupted transcription continues.

        Args:
            where: Condition and severity, as a folder.
            branches: Their names.
            compute: Computes logits of some of them.
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
        """Whether nothing is left to compute."""
        return len(self._known(self.folder / where, branches)) == len(branches)

    def _known(self, folder: Path, names: Collection[str]) -> dict[str, PartLogits]:
        known = {}
        for name in names:
            with suppress(EmorecError):  # absent or damaged: computed anew
                logits = PartLogits.load(folder / f"{name}.pt")
                if (logits.clip_ids, logits.content) == (self.clip_ids, self.content):
                    known[name] = logits
        return known
