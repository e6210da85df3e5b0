"""What a checkpoint holds beside its weights, and whether it fits the run that is to use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import yaml

from lightning_emorec.errors import EmorecError
from lightning_emorec.inference import RUN_CONFIG, read_checkpoint
from lightning_emorec.types import Tasks

PLACE = ("accelerator", "devices", "strategy", "num_nodes", "logger")
"""What a config's `trainer` says of where it was trained, not of the model."""


def model_of(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The `model` section of a config for the model in a checkpoint, as `LightningCLI` makes it of hyper-parameters."""
    given = {key: value for key, value in checkpoint["hyper_parameters"].items() if key != "_instantiator"}
    class_path = given.pop("_class_path", None)
    return given if class_path is None else {"class_path": class_path, "dict_kwargs": given}


def check_checkpoint(verb: str, ckpt_path: str | None, model: dict[str, Any], tasks: Tasks) -> None:
    """Check that `--ckpt_path` fits what a command is to do with it.

    Args:
        verb: `fit` trains the checkpoint further, `validate` and `test` evaluate it.
        ckpt_path: Its file.
        model: The config's.
        tasks: Of the corpus.

    Raises:
        EmorecError: It does not fit.
    """
    if verb == "fit":
        refuse_other_hyperparameters(ckpt_path, model)
    else:
        refuse_other_tasks(ckpt_path, tasks)


def refuse_other_hyperparameters(ckpt_path: str | None, model: dict[str, Any]) -> None:
    """Check that a checkpoint to be trained further was made with the hyper-parameters that the config asks for.

    Raises:
        EmorecError: They differ; Lightning would take the checkpoint's optimiser and the config's model.
    """
    if ckpt_path in (None, "last"):
        return
    kept = read_checkpoint(ckpt_path)["hyper_parameters"]
    asked = {**model.get("init_args", {}), "_class_path": model["class_path"]}
    if differ := [key for key, value in asked.items() if key in kept and kept[key] != value]:
        raise EmorecError(
            "the hyper-parameters that the checkpoint was trained with",
            ", ".join(f"{key} {asked[key]} where it has {kept[key]}" for key in differ),
            "remove --ckpt_path or these settings: a checkpoint is trained further as it began",
        )


def refuse_other_tasks(ckpt_path: str | None, tasks: Tasks) -> None:
    """Check that a model is judged on the tasks, and the order of classes, that it was trained for.

    Raises:
        EmorecError: There is no checkpoint, or the corpus has other tasks.
    """
    if ckpt_path is None:
        raise EmorecError("a checkpoint to judge", "none", "add --ckpt_path FILE")
    trained = read_checkpoint(ckpt_path)["hyper_parameters"]["tasks"]
    if trained != tasks:
        expected = f"the tasks that the model was trained for, {trained}"
        raise EmorecError(expected, f"{tasks}", "set --data.corpus to one with these classes")


def config_to_judge(file: str) -> dict[str, Any]:
    """The run config inside a checkpoint, by which `validate` and `test` need no other.

    All but where it was trained: a model from eight GPUs is judged on whatever is here.

    Raises:
        EmorecError: The checkpoint cannot be read, or holds no config.
    """
    checkpoint = read_checkpoint(file)
    if RUN_CONFIG not in checkpoint:
        raise EmorecError("a checkpoint that `fit` wrote", f"{file} without a config", "add --config")
    config = cast(dict[str, Any], yaml.safe_load(checkpoint[RUN_CONFIG]))
    config.pop("ckpt_path", None)
    for knob in PLACE:
        config["trainer"].pop(knob, None)
    return config
