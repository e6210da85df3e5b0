"""All that a cross-validation found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from lightning_emorec.evaluation.crossval.fuse import Weights
from lightning_emorec.evaluation.crossval.logits import join
from lightning_emorec.metrics import PartLogits
from lightning_emorec.types import UNLABELLED, Clip, Tasks

Way = Literal["val", "oof"]
"""What a rule was solved on: one validation split, or out-of-fold logits of all but the test actors."""


@dataclass(frozen=True, order=True)
class System:
    """Something that was judged: a branch (no way), or a rule solved in some way."""

    name: str
    way: Way | None = None

    @property
    def label(self) -> str:
        """As in `log_linear (out of fold)`."""
        ways = {None: "", "val": " (validation split)", "oof": " (out of fold)"}
        return self.name + ways[self.way]


@dataclass(frozen=True)
class CellResults:
    """What one outer fold with one seed found.

    Attributes:
        seed: Its seed.
        fold: Its number.
        clips: The test clips, in order.
        logits: System -> logits of the test clips, all in the same order.
        weights: Rule and way -> task -> what the rule learned; nothing for branches.
        solved_on: Way -> number of clips that the rules were solved on.
        seconds: Stage -> wall time.
        versions: Package -> version, and `device`.
    """

    seed: int
    fold: int
    clips: list[Clip]
    logits: dict[System, PartLogits]
    weights: dict[System, dict[str, Weights]] = field(default_factory=dict)
    solved_on: dict[Way, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """One system's answers to every clip that a task labels; rows of all systems are the same clips.

    Attributes:
        clip_ids: (clips,) in order.
        actors: (clips,) who speaks.
        folds: (clips,) the outer fold that tested on the clip.
        labels: (clips,) int64, right class.
        predicted: (seeds, clips) int64, most probable class.
        logits: (seeds, clips, classes).
    """

    clip_ids: list[str]
    actors: list[str]
    folds: list[int]
    labels: Tensor
    predicted: Tensor
    logits: Tensor


@dataclass(frozen=True)
class CrossvalResults:
    """What a cross-validation found.

    Attributes:
        name: Of its folder.
        folding: A published scheme, or the number of folds.
        tasks: Task name -> class names; the first is the headline.
        cells: By seed and then fold.
        chosen: The system that the config asks for, its rule solved out of fold where that was done.
        inner: Number of inner folds; 0 where there are none.
        single: Branches too dear for inner folds.
        left_out: Branch name -> why it was not fused.
        synthetic: The audio is generated: everything shown must say so.
    """

    name: str
    folding: str | int
    tasks: Tasks
    cells: list[CellResults]
    chosen: System
    inner: int = 0
    single: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    synthetic: bool = False

    @property
    def seeds(self) -> list[int]:
        """In order."""
        return list(dict.fromkeys(cell.seed for cell in self.cells))

    @property
    def folds(self) -> list[int]:
        """In order."""
        return list(dict.fromkeys(cell.fold for cell in self.cells))

    @property
    def systems(self) -> list[System]:
        """Branches, then rules by validation split, then rules out of fold."""
        return list(self.cells[0].logits)

    @cached_property
    def clips(self) -> dict[str, Clip]:
        """Every test clip once, by id, in the order of the folds."""
        return {clip.id: clip for cell in self._of(self.seeds[0]) for clip in cell.clips}

    def pooled(self, system: System, seed: int) -> PartLogits:
        """The logits of all clips, each from the fold that tested on it."""
        return join([cell.logits[system] for cell in self._of(seed)])

    def judged(self, system: System, task: str | None = None) -> Judged:
        """Labels, predictions and actors of a system, clip by clip.

        Args:
            system: One of `systems`.
            task: The first by default.
        """
        task = task or next(iter(self.tasks))
        parts = [self.pooled(system, seed) for seed in self.seeds]
        labels = parts[0].labels[task]
        labelled = labels != UNLABELLED
        logits = torch.stack([part.logits[task] for part in parts])[:, labelled]
        ids = [clip for clip, wanted in zip(parts[0].clip_ids, labelled.tolist(), strict=True) if wanted]
        fold_of = {clip.id: cell.fold for cell in self._of(self.seeds[0]) for clip in cell.clips}
        return Judged(
            clip_ids=ids,
            actors=[self.clips[clip].actor for clip in ids],
            folds=[fold_of[clip] for clip in ids],
            labels=labels[labelled],
            predicted=logits.argmax(dim=-1),
            logits=logits,
        )

    def _of(self, seed: int) -> Sequence[CellResults]:
        return [cell for cell in self.cells if cell.seed == seed]
