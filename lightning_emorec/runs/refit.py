"""Refits: the second training of a model, on training and validation actors, after all choices were made."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.branches import branch_origins, resolve_spec
from lightning_emorec.checkpoint_file import read_checkpoint
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.errors import EmorecError
from lightning_emorec.run_paths import best_checkpoint
from lightning_emorec.runs.fingerprint import describe_clips, fingerprint
from lightning_emorec.runs.folder import FINGERPRINT
from lightning_emorec.runs.plan import Refit
from lightning_emorec.splits import Parts, UnvalidatedParts

Config = dict[str, Any]

SUFFIX = "-refit"


def require_validation(config: Mapping[str, Any], parts: Parts) -> None:
    """Check that a fused run and a run with `refit` have validation clips."""
    if parts.val:
        return
    if config["refit"]:
        raise EmorecError(
            "validation clips to choose epochs by", "none", "remove --refit, or set another data.split"
        )
    if "branches" in config["model"]["init_args"]:
        raise EmorecError("validation clips to solve fusion rules on", "none", "set another data.split")


def refit_run(config: Config, selecting: Path) -> Config:
    """The config of a refit: that of the original run with other clips and another number of epochs.

    Without validation clips there is no early stopping and no best epoch. A schedule, such as a cosine, spans the
    chosen epochs.

    Args:
        config: Resolved config of the original run.
        selecting: Folder of the original run.
    """
    run = deepcopy(config)
    run["data"]["split"] = {
        "class_path": "lightning_emorec.splits.WithoutValidation",
        "init_args": {"split": config["data"]["split"]},
    }
    trainer = run["trainer"]
    if trainer["max_epochs"] != 0:  # 0 for a closed-form model
        trainer["max_epochs"] = chosen_epochs(selecting)
    trainer |= {"min_epochs": None, "max_steps": -1, "min_steps": None, "max_time": None}
    callbacks = trainer["callbacks"] or []
    listed = callbacks if isinstance(callbacks, list) else [callbacks]
    trainer["callbacks"] = [callback for callback in listed if not _watches_validation(callback)] or None
    run["checkpoint"] = {}  # without a monitor, the last epoch is saved as the best
    run["refit"] = False
    run["ckpt_path"] = None
    return run


def plan_refit(config: Config, data: EmotionDataModule, selecting: Path) -> tuple[Refit, Config]:
    """The refit of a single model and the config of its `fit`, from the original run's config, data and folder."""
    run = refit_run(config, selecting)
    origins = branch_origins(resolve_spec(config["model"], data.tasks))
    folder = refit_folder(selecting, fingerprint(run, describe_joined_clips(data), origins))
    run["name"] = str(folder.relative_to(config["runs"]))
    return Refit(folder, run["trainer"]["max_epochs"]), run


def chosen_epochs(selecting: Path) -> int:
    """The number of epochs that a run's best checkpoint was trained for."""
    return int(read_checkpoint(best_checkpoint(selecting))["epoch"]) + 1


def describe_joined_clips(data: EmotionDataModule) -> str:
    """As `describe_clips`, for a refit, which trains on both parts."""
    joined = UnvalidatedParts([*data.parts.train, *data.parts.val], [], [])
    return describe_clips(joined, data.audio, data.tasks)


def refit_folder(selecting: Path, print_: str) -> Path:
    """The folder of a single model's refit, beside the folder of the original run.

    A folder with the refit's fingerprint `print_` is reused: the refit is resumed, or kept if it is done.
    """
    number = 1
    while True:
        name = f"{selecting.name}{SUFFIX}" if number == 1 else f"{selecting.name}{SUFFIX}-{number}"
        file = selecting.with_name(name) / FINGERPRINT
        if not file.parent.exists():
            write_atomically(file, print_)
        if file.is_file() and file.read_text(encoding="utf8") == print_:
            return file.parent
        number += 1


def _watches_validation(callback: Mapping[str, Any]) -> bool:
    return str((callback.get("init_args") or {}).get("monitor")).startswith("val/")
