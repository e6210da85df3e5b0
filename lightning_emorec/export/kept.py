"""What a run folder keeps beside a checkpoint: its validation logits, and the branches that they are of."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from lightning_emorec.inference import TrainedModel
from lightning_emorec.part_logits import OWN, PartLogits
from lightning_emorec.run_paths import best_checkpoint, logits_file, solved_on_file
from lightning_emorec.runs.plan import PLAN, RunPlan


def with_kept_logits(trained: TrainedModel) -> TrainedModel:
    """The model with the validation logits of its run folder, where an earlier version's checkpoint has none.

    Returns:
        The model itself where the checkpoint has them, or the folder lacks those of a branch.

    Raises:
        EmorecError: A file of logits is damaged.
    """
    run, folders = _run(trained), _selecting_folders(trained)
    if trained.validation or not folders:
        return trained
    files = {name: _logits(run, name, folder) for name, folder in folders.items()}
    parts = {name: PartLogits.load(file) for name, file in files.items() if file.is_file()}
    clips = {clip for part in parts.values() for clip in part.clip_ids}
    spoken = [_actors(of) for of in (run, *folders.values()) if (of / "predictions.csv").is_file()]
    actors = {clip: actor for of in spoken for clip, actor in of.items() if clip in clips}
    if parts.keys() != trained.branches.keys() or not clips <= actors.keys():
        return trained
    return replace(trained, validation=parts, actors=actors)


def selecting_checkpoints(trained: TrainedModel) -> dict[str, Path]:
    """Branch -> checkpoint of it that had not learned from validation clips; without those that are gone."""
    files = {name: best_checkpoint(folder) for name, folder in _selecting_folders(trained).items()}
    return {name: file for name, file in files.items() if file.is_file()}


def _run(trained: TrainedModel) -> Path:
    return trained.checkpoint.resolve().parent.parent


def _selecting_folders(trained: TrainedModel) -> dict[str, Path]:
    """Branch -> folder of the run that its choices were made in; empty where the model's own plan is not there."""
    run = _run(trained)
    if not (run / PLAN).is_file():
        return {}
    plan = RunPlan.read(run / PLAN)
    if trained.fusion is None:
        return {OWN: _found(plan.refit_of, run) if plan.refit_of else run}
    return {name: _found(plan.branches[name], run) for name in trained.branches if name in plan.branches}


def _logits(run: Path, name: str, folder: Path) -> Path:
    solved_on = solved_on_file(run, name)
    return solved_on if solved_on.is_file() else logits_file(folder, "val")


def _found(folder: Path, run: Path) -> Path:
    """A folder of a plan, whose path may be relative to where the command was started, or of another machine."""
    beside = (of / "branches" / folder.name for of in run.parents)
    return next((path for path in (folder, *beside, run.parent / folder.name) if path.is_dir()), folder)


def _actors(folder: Path) -> dict[str, str]:
    with (folder / "predictions.csv").open(newline="", encoding="utf8") as lines:
        return {row["clip"]: row["actor"] for row in csv.DictReader(lines) if row["split"] == "val"}
