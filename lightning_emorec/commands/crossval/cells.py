"""The `fit`s of one outer fold with one seed, and the folders they run in; a folder's name says what is computed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lightning_emorec.commands.crossval.folds import Fold, Folding, inner_folds
from lightning_emorec.commands.crossval.subject import Config, Subject
from lightning_emorec.errors import EmorecError
from lightning_emorec.run_paths import logits_file
from lightning_emorec.runs.folder import is_done
from lightning_emorec.runs.leakage import known_training_overlap
from lightning_emorec.runs.plan import RunPlan
from lightning_emorec.runs.train_branches import BRANCHES


@dataclass(frozen=True)
class Options:
    """How to cross-validate.

    Attributes:
        folding: Outer folds.
        seeds: How many seeds, counted from the config's.
        inner: How many inner folds; 0 leaves out-of-fold fusion out.
        single: Branches too dear for inner folds.
        val_actors: Validation actors of an outer fold.
    """

    folding: Folding = 5
    seeds: int = 1
    inner: int = 3
    single: list[str] = field(default_factory=list)
    val_actors: int = 4

    def check(self, branches: Sequence[str]) -> None:
        """Refuse numbers out of range and branches that there are not.

        Raises:
            EmorecError: See above.
        """
        if self.seeds < 1:
            raise EmorecError("at least 1 seed", str(self.seeds), "set --seeds")
        if self.inner < 0 or self.inner == 1:
            raise EmorecError("at least 2 inner folds, or 0 for none", str(self.inner), "set --inner")
        if strange := [name for name in self.single if name not in branches]:
            raise EmorecError(f"branches among {list(branches)}", strange[0], "mend --single")


@dataclass(frozen=True)
class Step:
    """One `fit`.

    Attributes:
        label: What it does, for the progress bar.
        folder: Its run folder, which holds nothing else: the name says what it computes.
        config: Of the `fit`.
        handed_over: Makes the `fit` take the folder as it is, and wait for another process that is in it.
    """

    label: str
    folder: Path
    config: Config
    handed_over: RunPlan | None = None

    @property
    def is_done(self) -> bool:
        """Whether it came to its end and was tested."""
        return is_done(self.folder) and logits_file(self.folder, "test").is_file()


@dataclass(frozen=True)
class Cell:
    """One outer fold with one seed.

    Attributes:
        seed: Of every `fit` in it.
        fold: The outer fold.
        folder: Holds the run, the log and, at the end, the logits.
        run: The `fit` on the outer fold.
        stores: Branch name -> folder with its validation and test logits.
        inner: Branch name -> its `fit`s on the inner folds.
        fingerprint: Of everything that is computed.
    """

    seed: int
    fold: Fold
    folder: Path
    run: Step
    stores: dict[str, Path]
    inner: dict[str, list[Step]]
    fingerprint: str

    @property
    def name(self) -> str:
        """As in `seed1-fold0`."""
        return self.folder.name

    @property
    def steps(self) -> list[Step]:
        """All `fit`s, the outer one first."""
        return [self.run, *(step for steps in self.inner.values() for step in steps)]


@dataclass(frozen=True)
class CellMaker:
    """Makes cells in `folder`, a cross-validation's, within `runs`, where trained branches are kept."""

    subject: Subject
    options: Options
    folder: Path
    runs: Path

    def cell(self, fold: Fold, seed: int) -> Cell:
        """The cell of an outer fold and a seed."""
        subject = self.subject
        described = subject.describe(fold.parts)
        prints = {name: subject.branch_fingerprint(name, seed, described) for name in subject.branches}
        cell = self.folder / f"seed{seed}-fold{fold.index}"
        title = Path(subject.config["name"]).name
        print_ = subject.run_fingerprint(prints, seed, described)
        run = cell / f"{title}-{digest([print_, subject.content(fold.parts.test)])}"
        stores = {name: self.runs / BRANCHES / f"{name}-{print_}" for name, print_ in prints.items()}
        inner = self._inner(fold, seed)
        computed = [run.name, *(step.folder.name for steps in inner.values() for step in steps)]
        return Cell(
            seed=seed,
            fold=fold,
            folder=cell,
            run=Step("fit", run, self._config(subject.config, fold, seed, run)),
            stores=stores or {subject.config["name"]: run},
            inner=inner,
            fingerprint=digest([computed, self.options.inner, sorted(self.options.single)]),
        )

    def _inner(self, outer: Fold, seed: int) -> dict[str, list[Step]]:
        names = [name for name in self.subject.branches if name not in self.options.single]
        if not self.options.inner or len(self.subject.branches) < 2 or not names:
            return {}
        folds = inner_folds(outer, self.options.inner, self.options.val_actors)
        described = [self.subject.describe(fold.parts) for fold in folds]
        return {
            name: [self._inner_step(name, fold, seed, of) for fold, of in zip(folds, described, strict=True)]
            for name in names
        }

    def _inner_step(self, name: str, fold: Fold, seed: int, described: str) -> Step:
        """A `fit` among the trained branches: another cross-validation with the same branch reuses it."""
        print_ = self.subject.branch_fingerprint(name, seed, described)
        heard = self.subject.content(fold.parts.test)[:8]
        folder = self.runs / BRANCHES / f"{name}-{print_}-{heard}"
        config = self._config(self.subject.branches[name], fold, seed, folder)
        plan = RunPlan(folder, warnings=known_training_overlap(config["model"], config["data"]["corpus"]))
        return Step(f"{name} on inner fold {fold.index}", folder, config, plan)

    def _config(self, config: Config, fold: Fold, seed: int, folder: Path) -> Config:
        return {
            **config,
            "name": str(folder.relative_to(self.runs)),
            "runs": str(self.runs),
            "seed_everything": seed,
            "test_after_fit": True,
            "branch_jobs": 1,  # folds are what is done side by side
            "ckpt_path": None,
            "data": {**config["data"], "split": fold.spec},
        }


def digest(content: object) -> str:
    """A short hash of plain values."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
