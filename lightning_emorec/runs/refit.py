"""Trains a model once more, on training and validation actors, when every choice has been made on the latter."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.errors import EmorecError
from lightning_emorec.run_paths import best_checkpoint
from lightning_emorec.runs.checkpoint import read_checkpoint
from lightning_emorec.runs.fingerprint import describe_clips
from lightning_emorec.runs.folder import FINGERPRINT
from lightning_emorec.splits import Parts, UnvalidatedParts

Config = dict[str, Any]

SUFFIX = "-refit"


def require_validation(config: Mapping[str, Any], parts: Parts) -> None:
    """Check that what is chosen by validation clips has some.

    Raises:
        EmorecError: There are none, and the run is a fusion or is to be refitted.
    """
    if parts.val:
        return
    if config["refit"]:
        raise EmorecError(
            "validation clips to choose epochs by", "none", "leave out --refit, or change data.split"
        )
    if "branches" in config["model"]["init_args"]:
        raise EmorecError("validation clips to solve fusion rules on", "none", "change data.split")


def refit_run(config: Config, selecting: Path) -> Config:
    """The config of a refit: that of the run that selected, but for the clips and the epochs.

    Nothing watches validation clips any more: no early stopping, no best epoch. A schedule, such as a cosine,
    is laid over the epochs that there are.

    Args:
        config: Of the run that selected, resolved.
        selecting: Its folder.
    """
    run = deepcopy(config)
    run["data"]["split"] = {
        "class_path": "lightning_emorec.splits.WithoutValidation",
        "init_args": {"split": config["data"]["split"]},
    }
    trainer = run["trainer"]
    if trainer["max_epochs"] != 0:  # else it is solved
        trainer["max_epochs"] = chosen_epochs(selecting)
    trainer |= {"min_epochs": None, "max_steps": -1, "min_steps": None, "max_time": None}
    callbacks = trainer["callbacks"] or []
    listed = callbacks if isinstance(callbacks, list) else [callbacks]
    trainer["callbacks"] = [of for of in listed if not _watches_validation(of)] or None
    run["checkpoint"] = {}  # the last epoch is the best
    run["refit"] = False
    run["ckpt_path"] = None
    return run


def chosen_epochs(selecting: Path) -> int:
    """How many epochs the best checkpoint of a run had been trained for."""
    return int(read_checkpoint(str(best_checkpoint(selecting)))["epoch"]) + 1


def describe_joined_clips(data: EmotionDataModule) -> str:
    """As `describe_clips`, of a refit: both parts are trained on."""
    joined = UnvalidatedParts([*data.parts.train, *data.parts.val], [], [])
    return describe_clips(joined, data.audio, data.tasks)


def refit_folder(selecting: Path, print_: str) -> Path:
    """The folder of the refit of a run that is no branch of a fusion, beside the run's own.

    Args:
        selecting: The run's own.
        print_: Fingerprint of the refit; a refit that has it is gone on with, and kept if it is done.
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
