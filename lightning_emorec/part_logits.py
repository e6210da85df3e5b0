"""The logits of a whole part, in memory and on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from lightning_emorec.atomic_write import whole_file
from lightning_emorec.errors import EmorecError


@dataclass
class PartLogits:
    """The logits of every clip of one part, each clip once, held on the CPU.

    Attributes:
        clip_ids: The clips, in the order of the part.
        logits: Task name -> (clips, classes) float32.
        labels: Task name -> (clips,) int64, `UNLABELLED` where the clip has no label.
        content: Hash of the clips as they were then (`dataset.content_of`), by which a later run finds out whether the
            logits are still valid; may be empty.
    """

    clip_ids: list[str]
    logits: dict[str, Tensor]
    labels: dict[str, Tensor]
    content: str = ""

    def __post_init__(self) -> None:
        self.logits = {task: values.detach().cpu().float() for task, values in self.logits.items()}
        self.labels = {task: values.detach().cpu().long() for task, values in self.labels.items()}
        rows = {len(values) for values in [*self.logits.values(), *self.labels.values()]}
        if self.logits.keys() != self.labels.keys() or rows - {len(self.clip_ids)}:
            raise ValueError(
                f"tasks and lengths must agree: {len(self.clip_ids)} clips, logits of {sorted(self.logits)}, "
                f"labels of {sorted(self.labels)}, {sorted(rows)} rows"
            )

    def save(self, path: Path) -> None:
        """Write to `path`, its folder too, in one step: a reader sees the whole file or none."""
        state = {name: getattr(self, name) for name in ("clip_ids", "logits", "labels", "content")}
        # Through a file of Python's, because torch's own reports a full disk as a RuntimeError.
        with whole_file(path) as file:
            torch.save(state, file)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote, without running code from the file.

        Raises:
            EmorecError: The file is missing, damaged or something else.
        """
        try:
            state = torch.load(path, weights_only=True)
            return cls(state["clip_ids"], state["logits"], state["labels"], state.get("content", ""))
        except Exception as error:  # damaged bytes can raise nearly anything when they are unpickled
            found = f"{path}, which cannot be read ({type(error).__name__})"
            raise EmorecError("a file of logits", found, "delete it: the next run writes it again") from error

    @classmethod
    def join(cls, parts: Sequence[PartLogits]) -> Self:
        """The clips of several parts, in their order.

        Raises:
            ValueError: A clip is in two of them.
        """
        ids = [clip for part in parts for clip in part.clip_ids]
        if len(set(ids)) != len(ids):
            raise ValueError(f"{len(ids) - len(set(ids))} clips are in two parts")
        return cls(
            ids,
            {task: torch.cat([part.logits[task] for part in parts]) for task in parts[0].logits},
            {task: torch.cat([part.labels[task] for part in parts]) for task in parts[0].labels},
        )

    def select(self, clip_ids: Sequence[str]) -> PartLogits:
        """Some of the clips, in the order asked for.

        Raises:
            KeyError: A clip is not in the part.
        """
        row = {clip: index for index, clip in enumerate(self.clip_ids)}
        rows = [row[clip] for clip in clip_ids]
        return PartLogits(
            list(clip_ids),
            {task: logits[rows] for task, logits in self.logits.items()},
            {task: labels[rows] for task, labels in self.labels.items()},
        )
