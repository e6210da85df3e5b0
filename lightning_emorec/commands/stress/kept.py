"""What a stress test has computed, kept so that it goes on where it was stopped."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from lightning_emorec.branches import Branch
from lightning_emorec.errors import EmorecError
from lightning_emorec.part_logits import PartLogits

Listening = Callable[[Mapping[str, Branch], Path], dict[str, PartLogits]]
"""From branches and a folder for their features to their logits."""


class KeptLogits:
    """Logits of each branch under each condition and severity, a file each; whole or not at all.

    Args:
        folder: Of one checkpoint and one part.
        clip_ids: The part's clips.
        content: Hash of these clips: logits of others, or of clips that have changed, are computed anew.
    """

    def __init__(self, folder: Path, clip_ids: Sequence[str], content: str) -> None:
        self.folder = folder
        self.clip_ids = list(clip_ids)
        self.content = content

    def get(self, where: str, branches: Mapping[str, Branch], listen: Listening) -> dict[str, PartLogits]:
        """The branches' logits; what is not kept is computed and kept.

        While they are computed, features are kept too, so that an interrupted Whisper goes on.

        Args:
            where: Condition and severity, as a folder.
            branches: Name -> branch.
            listen: Computes.
        """
        folder = self.folder / where
        known = self._known(folder, branches)
        lacking = {name: branch for name, branch in branches.items() if name not in known}
        if lacking:
            for name, logits in listen(lacking, folder).items():
                replace(logits, content=self.content).save(folder / f"{name}.pt")
                known[name] = logits
            shutil.rmtree(folder / "features", ignore_errors=True)  # FeatureCache's own folder
        return {name: known[name] for name in branches}

    def has(self, where: str, branches: Mapping[str, Branch]) -> bool:
        """Whether nothing is left to compute."""
        return len(self._known(self.folder / where, branches)) == len(branches)

    def _known(self, folder: Path, names: Iterable[str]) -> dict[str, PartLogits]:
        known = {}
        for name in names:
            with suppress(EmorecError):  # absent or damaged: computed anew
                logits = PartLogits.load(folder / f"{name}.pt")
                if (logits.clip_ids, logits.content) == (self.clip_ids, self.content):
                    known[name] = logits
        return known
