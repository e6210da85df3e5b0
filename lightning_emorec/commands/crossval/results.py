"""All that a cross-validation found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from lightning_emorec.commands.crossval.fuse import Weights
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import Clip, Part, Tasks

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
        actors: Part -> its actors.
    """

    seed: int
    fold: int
    clips: list[Clip]
    logits: dict[System, PartLogits]
    weights: dict[System, dict[str, Weights]] = field(default_factory=dict)
    solved_on: dict[Way, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    actors: dict[Part, list[str]] = field(default_factory=dict)


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
        val_actors: Validation actors of each fold.
        config: What `fit` was given in each fold, but for the split, as YAML.
        warnings: What a reader of the figures must know.
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
    val_actors: int = 0
    config: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def task(self) -> str:
        """The first, which everything is judged by."""
        return next(iter(self.tasks))

    @property
    def command(self) -> str:
        """What repeats it, in its folder."""
        options = {"folds": self.folding, "seeds": len(self.seeds), "inner": self.inner}
        options |= {"single": ",".join(self.single)} if self.single else {}
        options["val_actors"] = self.val_actors
        given = " ".join(f"--{name} {value}" for name, value in options.items())
        return f"python -m lightning_emorec crossval --config config.yaml {given}"

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
        return {clip.id: clip for cell in self.of(self.seeds[0]) for clip in cell.clips}

    def pooled(self, system: System, seed: int) -> PartLogits:
        """The logits of all clips, each from the fold that tested on it."""
        return PartLogits.join([cell.logits[system] for cell in self.of(seed)])

    def of(self, seed: int) -> Sequence[CellResults]:
        """The cells of a seed, fold by fold."""
        return [cell for cell in self.cells if cell.seed == seed]
