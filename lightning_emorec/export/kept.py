"""What a run folder keeps of its validation clips: logits that no branch had learned from, and who spoke."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from lightning_emorec.inference import TrainedModel
from lightning_emorec.part_logits import OWN, PartLogits
from lightning_emorec.run_paths import best_checkpoint, logits_file, solved_on_file
from lightning_emorec.runs.plan import PLAN, RunPlan


@dataclass(frozen=True)
class Kept:
    """Logits of validation clips, from before a refit where there was one.

    Attributes:
        parts: Branch -> logits of its clips.
        actors: Clip -> actor.
        checkpoints: Branch -> the checkpoint that made the logits; without those that are gone.
    """

    parts: dict[str, PartLogits]
    actors: dict[str, str]
    checkpoints: dict[str, Path]


def kept_validation(trained: TrainedModel) -> Kept | None:
    """What is kept beside a model's checkpoint; None where that is not a run folder with logits of every branch.

    Raises:
        EmorecError: A file of logits is damaged.
    """
    run = trained.checkpoint.resolve().parent.parent
    if not (run / "predictions.csv").is_file() or not (run / PLAN).is_file():
        return None
    plan = RunPlan.read(run / PLAN)
    if trained.fusion is None:
        selecting = _found(plan.refit_of, run) if plan.refit_of else run
        folders = {OWN: selecting}
    else:
        folders = {
            name: _found(plan.branches[name], run) for name in trained.branches if name in plan.branches
        }
    files = {name: _logits(run, name, folder) for name, folder in folders.items()}
    parts = {name: PartLogits.load(file) for name, file in files.items() if file.is_file()}
    if parts.keys() != trained.branches.keys():
        return None
    spoken = {
        path: _actors(path) for path in (run, *folders.values()) if (path / "predictions.csv").is_file()
    }
    clips = {clip for part in parts.values() for clip in part.clip_ids}
    actors = {clip: actor for of in spoken.values() for clip, actor in of.items() if clip in clips}
    checkpoints = {name: best_checkpoint(folder) for name, folder in folders.items()}
    there = {name: file for name, file in checkpoints.items() if file.is_file()}
    return Kept(parts, actors, there) if clips <= actors.keys() else None


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
