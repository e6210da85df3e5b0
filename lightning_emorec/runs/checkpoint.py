"""Metadata of a checkpoint: its config and hyper-parameters, and whether they match the current run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import yaml

from lightning_emorec.checkpoint_file import RUN_CONFIG, read_checkpoint
from lightning_emorec.corpora.shared_classes import SharedClasses
from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Tasks

PLACE = ("accelerator", "devices", "strategy", "num_nodes", "logger")
"""Keys in a config's `trainer` that describe the machine, not the model."""


def model_of(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The `model` section of a config, from a checkpoint's hyper-parameters in the way of `LightningCLI`."""
    given = {key: value for key, value in checkpoint["hyper_parameters"].items() if key != "_instantiator"}
    class_path = given.pop("_class_path", None)
    return given if class_path is None else {"class_path": class_path, "dict_kwargs": given}


def refuse_other_hyperparameters(ckpt_path: str | None, model: dict[str, Any]) -> None:
    """Check that a checkpoint to be trained further has the hyper-parameters of the config.

    Otherwise Lightning would combine the checkpoint's optimiser state with the config's model.
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


def corpus_to_judge_on(ckpt_path: str | None, corpus: dict[str, Any], tasks: Tasks) -> dict[str, Any] | None:
    """The `data.corpus` of a config by which a model is judged on tasks or classes that it was not trained for.

    Args:
        ckpt_path: Its file.
        corpus: The config's `data.corpus`.
        tasks: Of that corpus.

    Returns:
        The corpus within a `SharedClasses`, or None where it has the model's tasks, and classes in the same order.

    Raises:
        EmorecError: There is no checkpoint.
    """
    if ckpt_path is None:
        raise EmorecError("a checkpoint to evaluate", "none", "add --ckpt_path FILE")
    trained = read_checkpoint(ckpt_path)["hyper_parameters"]["tasks"]
    if list(trained.items()) == list(tasks.items()):
        return None
    class_path = f"{SharedClasses.__module__}.{SharedClasses.__name__}"
    return {"class_path": class_path, "init_args": {"corpus": corpus, "tasks": trained}}


def config_to_judge(file: str) -> dict[str, Any]:
    """The run config in a checkpoint, for `validate` and `test` without --config.

    Without `PLACE`: a model that was trained on eight GPUs is evaluated on the devices of this machine.
    """
    checkpoint = read_checkpoint(file)
    if RUN_CONFIG not in checkpoint:
        raise EmorecError("a checkpoint that `fit` wrote", f"{file} without a config", "add --config")
    config = cast(dict[str, Any], yaml.safe_load(checkpoint[RUN_CONFIG]))
    config.pop("ckpt_path", None)
    for knob in PLACE:
        config["trainer"].pop(knob, None)
    return config
