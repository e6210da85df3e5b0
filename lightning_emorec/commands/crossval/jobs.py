"""The `fit`s of one outer fold with one seed; the names of their run folders contain a fingerprint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lightning_emorec.commands.crossval.folds import Fold, Folding, inner_folds
from lightning_emorec.commands.crossval.model_spec import Config, ModelSpec
from lightning_emorec.errors import EmorecError
from lightning_emorec.hashing import short_hash
from lightning_emorec.run_paths import logits_file
from lightning_emorec.runs.folder import is_done
from lightning_emorec.runs.leakage import known_training_overlap
from lightning_emorec.runs.plan import RunPlan
from lightning_emorec.runs.train_branches import BRANCHES


@dataclass(frozen=True)
class Options:
    """Options of a cross-validation; see `crossval`."""

    folding: Folding = 5
    seeds: int = 1
    inner: int = 3
    single: list[str] = field(default_factory=list)
    val_actors: int | float = 4

    def check(self, branches: Sequence[str]) -> None:
        """Check the numbers and the names of branches."""
        if self.seeds < 1:
            raise EmorecError("at least 1 seed", str(self.seeds), "set --seeds")
        if self.inner < 0 or self.inner == 1:
            raise EmorecError("at least 2 inner folds, or 0 for none", str(self.inner), "set --inner")
        if unknown := [name for name in self.single if name not in branches]:
            raise EmorecError(
                f"branches among {', '.join(branches)}", unknown[0], "set --single to some of them"
            )


@dataclass(frozen=True)
class FitStep:
    """One `fit`.

    Attributes:
        label: Shown in the progress bar.
        folder: Its run folder.
        config: Its config.
        plan: Passed to the `fit`, which then waits if another process uses the folder; None lets the `fit` plan.
    """

    label: str
    folder: Path
    config: Config
    plan: RunPlan | None = None

    @property
    def is_done(self) -> bool:
        """Whether the run is done and was tested."""
        return is_done(self.folder) and logits_file(self.folder, "test").is_file()


@dataclass(frozen=True)
class FoldJob:
    """All `fit`s of one outer fold with one seed.

    Attributes:
        seed: Seed of every `fit`.
        fold: The outer fold.
        folder: Contains the run, the log and finally the logits.
        run: The `fit` on the outer fold.
        stores: Branch name -> run folder with its validation and test logits.
        inner: Branch name -> its `fit`s on the inner folds.
        fingerprint: Hash of all `fit`s and the options.
    """

    seed: int
    fold: Fold
    folder: Path
    run: FitStep
    stores: dict[str, Path]
    inner: dict[str, list[FitStep]]
    fingerprint: str

    @property
    def name(self) -> str:
        """As in `seed1-fold0`."""
        return self.folder.name

    @property
    def steps(self) -> list[FitStep]:
        """All `fit`s, the outer one first."""
        return [self.run, *(step for steps in self.inner.values() for step in steps)]


@dataclass(frozen=True)
class FoldJobFactory:
    """Makes the jobs of a cross-validation in `folder`; trained branches are kept in `runs`."""

    model: ModelSpec
    options: Options
    folder: Path
    runs: Path

    def job(self, fold: Fold, seed: int) -> FoldJob:
        """The job of an outer fold and a seed."""
        model = self.model
        described = model.describe(fold.parts)
        prints = {name: model.branch_fingerprint(name, seed, described) for name in model.branches}
        folder = self.folder / f"seed{seed}-fold{fold.index}"
        title = Path(model.config["name"]).name
        print_ = model.run_fingerprint(prints, seed, described)
        run = folder / f"{title}-{short_hash([print_, model.content(fold.parts.test)])}"
        stores = {name: self.runs / BRANCHES / f"{name}-{print_}" for name, print_ in prints.items()}
        inner = self._inner(fold, seed)
        computed = [run.name, *(step.folder.name for steps in inner.values() for step in steps)]
        return FoldJob(
            seed=seed,
            fold=fold,
            folder=folder,
            run=FitStep("fit", run, self._config(model.config, fold, seed, run)),
            stores=stores or {model.config["name"]: run},
            inner=inner,
            fingerprint=short_hash([computed, self.options.inner, sorted(self.options.single)]),
        )

    def _inner(self, outer: Fold, seed: int) -> dict[str, list[FitStep]]:
        names = [name for name in self.model.branches if name not in self.options.single]
        if not self.options.inner or len(self.model.branches) < 2 or not names:
            return {}
        folds = inner_folds(outer, self.options.inner, len(outer.parts.actors["val"]))
        described = [self.model.describe(fold.parts) for fold in folds]
        return {
            name: [self._inner_step(name, fold, seed, of) for fold, of in zip(folds, described, strict=True)]
            for name in names
        }

    def _inner_step(self, name: str, fold: Fold, seed: int, described: str) -> FitStep:
        """A `fit` in the folder of trained branches, where other cross-validations with the same branch reuse it."""
        print_ = self.model.branch_fingerprint(name, seed, described)
        tested = self.model.content(fold.parts.test)[:8]
        folder = self.runs / BRANCHES / f"{name}-{print_}-{tested}"
        config = self._config(self.model.branches[name], fold, seed, folder)
        plan = RunPlan(folder, warnings=known_training_overlap(config["model"], config["data"]["corpus"]))
        return FitStep(f"{name} on inner fold {fold.index}", folder, config, plan)

    def _config(self, config: Config, fold: Fold, seed: int, folder: Path) -> Config:
        return {
            **config,
            "name": str(folder.relative_to(self.runs)),
            "runs": str(self.runs),
            "seed_everything": seed,
            "test_after_fit": True,
            "branch_jobs": 1,  # `jobs` runs several folds at a time instead
            "ckpt_path": None,
            "data": {**config["data"], "split": fold.spec},
        }
