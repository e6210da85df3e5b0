"""The plan of a cross-validation: all its `fit`s, planned before the first is started, and kept on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from lightning_emorec import __version__
from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.commands.crossval.folds import outer_folds
from lightning_emorec.commands.crossval.jobs import FoldJob, FoldJobFactory, Options
from lightning_emorec.commands.crossval.model_spec import ModelSpec
from lightning_emorec.errors import EmorecError
from lightning_emorec.hashing import short_hash
from lightning_emorec.nested import as_yaml, flat
from lightning_emorec.runs.folder import begun_by, record_version

PLAN = "plan.json"
CONFIG = "config.yaml"


@dataclass(frozen=True)
class CrossvalPlan:
    """A whole cross-validation."""

    folder: Path
    model: ModelSpec
    options: Options
    jobs: list[FoldJob]

    @property
    def fingerprint(self) -> str:
        """Hash of the outer folds with the first seed, so that further seeds and inner folds may be added later."""
        first = self.jobs[0].seed
        return short_hash([job.run.folder.name for job in self.jobs if job.seed == first])

    def write(self) -> None:
        """Write plan.json and config.yaml into the folder.

        Raises:
            EmorecError: The folder holds a different cross-validation.
        """
        file = self.folder / PLAN
        if file.is_file():
            kept = json.loads(file.read_text(encoding="utf8"))
            if kept["fingerprint"] != self.fingerprint:
                raise EmorecError(
                    f"the settings that {self.folder} was begun with",
                    self._changed(kept),
                    "choose another --name, or delete the folder",
                )
        write_atomically(self.folder / CONFIG, as_yaml(self.model.config))
        record_version(self.folder)
        write_atomically(file, json.dumps(self._content(), indent=2, ensure_ascii=False) + "\n")

    def _content(self) -> dict[str, object]:
        model, options = self.model, self.options
        return {
            "fingerprint": self.fingerprint,
            "folds": options.folding,
            "val_actors": options.val_actors,
            "inner": options.inner if self.jobs[0].inner else 0,
            "single": options.single,
            "tasks": model.tasks,
            "branches": list(model.origins),
            "rule": model.config["model"]["init_args"].get("rule") if model.branches else None,
            "fused": bool(model.branches),
            "left_out": model.left_out,
            "synthetic": model.synthetic,
            "cells": [
                {
                    "seed": job.seed,
                    "fold": job.fold.index,
                    "folder": job.name,
                    "run": str(job.run.folder.relative_to(self.folder)),
                    "fingerprint": job.fingerprint,
                    "actors": job.fold.parts.actors,
                }
                for job in self.jobs
            ],
        }

    def _changed(self, kept: dict[str, object]) -> str:
        if (version := begun_by(self.folder)) != __version__:
            return f"version {__version__} of this package where version {version} began it"
        before = dict(flat(yaml.safe_load((self.folder / CONFIG).read_text(encoding="utf8"))))
        before |= {key: kept[key] for key in ("folds", "val_actors")}
        now = dict(flat(self.model.config))
        now |= {"folds": self.options.folding, "val_actors": self.options.val_actors}
        keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        keys = [key for key in keys if "split" not in key.split(".")]  # replaced by the folds
        return f"another {', '.join(keys[:3])}" if keys else "other clips or features"


def make_plan(model: ModelSpec, options: Options, folder: Path, runs: Path) -> CrossvalPlan:
    """Assign actors to folds and jobs to folders; `folder` is that of the cross-validation, within `runs`."""
    options.check(list(model.branches))
    folds = outer_folds(options.folding, options.val_actors, model.clips)
    factory = FoldJobFactory(model, options, folder, runs)
    first = int(model.config["seed_everything"])
    jobs = [factory.job(fold, seed) for seed in range(first, first + options.seeds) for fold in folds]
    return CrossvalPlan(folder, model, options, jobs)
