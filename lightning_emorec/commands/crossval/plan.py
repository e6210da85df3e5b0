"""Which `fit`s a cross-validation consists of, decided before the first is started and kept on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.commands.crossval.cells import Cell, CellMaker, Options, digest
from lightning_emorec.commands.crossval.folds import outer_folds
from lightning_emorec.commands.crossval.subject import Subject
from lightning_emorec.errors import EmorecError
from lightning_emorec.nested import flat

PLAN = "plan.json"
CONFIG = "config.yaml"


@dataclass(frozen=True)
class Plan:
    """A whole cross-validation."""

    folder: Path
    subject: Subject
    options: Options
    cells: list[Cell]

    @property
    def fingerprint(self) -> str:
        """Of what the outer folds with the first seed compute; further seeds and inner folds may be added."""
        first = self.cells[0].seed
        return digest([cell.run.folder.name for cell in self.cells if cell.seed == first])

    def keep(self) -> None:
        """Write plan.json and config.yaml into the folder.

        Raises:
            EmorecError: The folder holds a cross-validation of something else.
        """
        file = self.folder / PLAN
        if file.is_file():
            kept = json.loads(file.read_text(encoding="utf8"))
            if kept["fingerprint"] != self.fingerprint:
                raise EmorecError(
                    f"what {self.folder} was begun with",
                    self._changed(kept),
                    "choose another --name, or delete the folder",
                )
        text = yaml.safe_dump(self.subject.config, sort_keys=False, allow_unicode=True)
        write_atomically(self.folder / CONFIG, text)
        write_atomically(file, json.dumps(self._content(), indent=2, ensure_ascii=False) + "\n")

    def _content(self) -> dict[str, object]:
        subject, options = self.subject, self.options
        return {
            "fingerprint": self.fingerprint,
            "folds": options.folding,
            "val_actors": options.val_actors,
            "inner": options.inner if self.cells[0].inner else 0,
            "single": options.single,
            "tasks": subject.tasks,
            "branches": list(subject.origins),
            "rule": subject.config["model"]["init_args"].get("rule") if subject.branches else None,
            "fused": bool(subject.branches),
            "left_out": subject.left_out,
            "synthetic": subject.synthetic,
            "cells": [
                {
                    "seed": cell.seed,
                    "fold": cell.fold.index,
                    "folder": cell.name,
                    "run": str(cell.run.folder.relative_to(self.folder)),
                    "fingerprint": cell.fingerprint,
                    "actors": cell.fold.parts.actors,
                }
                for cell in self.cells
            ],
        }

    def _changed(self, kept: dict[str, object]) -> str:
        before = dict(flat(yaml.safe_load((self.folder / CONFIG).read_text(encoding="utf8"))))
        before |= {key: kept[key] for key in ("folds", "val_actors")}
        now = dict(flat(self.subject.config))
        now |= {"folds": self.options.folding, "val_actors": self.options.val_actors}
        keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        keys = [key for key in keys if "split" not in key.split(".")]  # which is the folds' to set
        return f"another {', '.join(keys[:3])}" if keys else "other clips, features or package version"


def make_plan(subject: Subject, options: Options, folder: Path, runs: Path) -> Plan:
    """Deal the folds, and say what is computed in which folder.

    Args:
        subject: What is cross-validated.
        options: How.
        folder: Of the cross-validation, within `runs`.
        runs: Folder of all runs, where trained branches are kept.

    Raises:
        EmorecError: Too few actors, or options that do not fit.
    """
    options.check(list(subject.branches))
    folds = outer_folds(options.folding, options.val_actors, subject.clips)
    maker = CellMaker(subject, options, folder, runs)
    first = int(subject.config["seed_everything"])
    cells = [maker.cell(fold, seed) for seed in range(first, first + options.seeds) for fold in folds]
    return Plan(folder, subject, options, cells)
