"""Collects the logits of a cell's `fit`s in the cell's folder, so that evaluation needs no other folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.commands.crossval.jobs import FitStep, FoldJob
from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.results import wall_s
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.run_paths import logits_file
from lightning_emorec.types import Clip

CELL = "cell.json"

Source = Literal["val", "test", "inner"]


def is_collected(cell: FoldJob) -> bool:
    """Whether the cell's folder holds the results of exactly this cell."""
    file = cell.folder / CELL
    return file.is_file() and json.loads(file.read_text(encoding="utf8"))["fingerprint"] == cell.fingerprint


def branch_file(cell_folder: Path, branch: str, source: Source) -> Path:
    """The file of a branch's logits in a cell; `inner` are the out-of-fold logits of training and validation clips."""
    return cell_folder / "logits" / source / f"{branch}.pt"


def collect(cell: FoldJob) -> None:
    """Copy the logits, join those of the inner folds, and write cell.json last."""
    parts = cell.fold.parts
    for branch, folder in cell.stores.items():
        val = _load(logits_file(folder, "val"), parts.val, cell.run)
        test = _load(logits_file(_tested_folder(cell, branch), "test"), parts.test, cell.run)
        val.save(branch_file(cell.folder, branch, "val"))
        test.save(branch_file(cell.folder, branch, "test"))
    for branch, steps in cell.inner.items():
        joined = PartLogits.join([PartLogits.load(logits_file(step.folder, "test")) for step in steps])
        learned_from = [clip.id for clip in cell.fold.learned_from]
        joined.select(learned_from).save(branch_file(cell.folder, branch, "inner"))
    content = {
        "fingerprint": cell.fingerprint,
        "seed": cell.seed,
        "fold": cell.fold.index,
        "inner": list(cell.inner),
        "actors": parts.actors,
        "seconds": _seconds(cell),
        "versions": _metrics(cell.run.folder)["versions"],
        "audio": _metrics(cell.run.folder).get("audio"),
        "clips": [
            {"id": clip.id, "actor": clip.actor, "text": clip.text, "labels": clip.labels}
            for clip in parts.test
        ],
    }
    write_atomically(cell.folder / CELL, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _tested_folder(cell: FoldJob, branch: str) -> Path:
    """The folder with a branch's test logits: that of its refit if there is one."""
    folder = cell.stores[branch]
    refits = _metrics(cell.run.folder).get("refit", {})
    refit = refits.get(folder.name if folder == cell.run.folder else branch)
    return folder.with_name(refit["folder"]) if refit else folder


def _load(file: Path, clips: Sequence[Clip], run: FitStep) -> PartLogits:
    logits = PartLogits.load(file)
    if logits.clip_ids != [clip.id for clip in clips]:
        # A branch folder keeps the logits of the last test only; another run has tested on other actors since.
        found = f"those of other clips in {file}"
        raise EmorecError("logits of this fold's clips", found, f"delete {run.folder} and run it again")
    return logits


def _seconds(cell: FoldJob) -> dict[str, float]:
    """`fit`, `inner NAME` and `refit` -> recorded wall time; `fit` of a fused run includes its refits."""
    spent = {
        "fit": [cell.run.folder],
        **{f"inner {name}": [step.folder for step in steps] for name, steps in cell.inner.items()},
    }
    for branch, folder in cell.stores.items():
        if folder == cell.run.folder != (refit := _tested_folder(cell, branch)):
            spent["refit"] = [refit]
    return {
        label: round(sum(wall_s(_metrics(folder)) for folder in folders), 2)
        for label, folders in spent.items()
    }


def _metrics(folder: Path) -> dict[str, Any]:
    return cast(dict[str, Any], json.loads((folder / "metrics.json").read_text(encoding="utf8")))
