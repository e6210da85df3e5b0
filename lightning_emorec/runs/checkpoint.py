"""The config inside a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from pickle import UnpicklingError
from tempfile import TemporaryDirectory
from typing import Any, cast

import torch
import yaml
from lightning.pytorch import Callback, LightningModule, Trainer

from lightning_emorec.branches import Branch
from lightning_emorec.config_loader import replaced
from lightning_emorec.errors import EmorecError
from lightning_emorec.renamed import current_class_path
from lightning_emorec.types import Tasks

RUN_CONFIG = "run_config"  # key of the run's config in a checkpoint
FEATURES = "features"  # and of its features' keys

PLACE = ("accelerator", "devices", "strategy", "num_nodes", "logger")  # of training, not of the model


class RunConfig(Callback):
    """Puts the run's config into each checkpoint, so that `test --ckpt_path FILE` needs nothing else.

    And the keys of its features: the config may leave to the environment which Whisper is meant.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add both."""
        checkpoint[RUN_CONFIG] = self.text
        checkpoint[FEATURES] = _keys(cast(Branch, pl_module))


def read_checkpoint(file: str) -> dict[str, Any]:
    """Read a checkpoint's plain content, in which classes have the paths of today.

    Raises:
        EmorecError: It is missing or unreadable.
    """
    if not Path(file).is_file():
        raise EmorecError("a checkpoint file", f"no file {file}", "mend --ckpt_path")
    try:
        checkpoint = cast(dict[str, Any], torch.load(file, map_location="cpu", weights_only=True))
    except (RuntimeError, EOFError, UnpicklingError) as error:
        raise EmorecError(
            "a checkpoint that `fit` wrote", f"{file}, which cannot be read", "mend --ckpt_path"
        ) from error
    names = (current_class_path,)
    if "hyper_parameters" in checkpoint:
        checkpoint["hyper_parameters"] = replaced(checkpoint["hyper_parameters"], names)
    if RUN_CONFIG in checkpoint:
        config = replaced(yaml.safe_load(checkpoint[RUN_CONFIG]), names)
        checkpoint[RUN_CONFIG] = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    return checkpoint


def model_of(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The `model` section of a config for the model in a checkpoint, as `LightningCLI` makes it of hyper-parameters."""
    given = {key: value for key, value in checkpoint["hyper_parameters"].items() if key != "_instantiator"}
    class_path = given.pop("_class_path", None)
    return given if class_path is None else {"class_path": class_path, "dict_kwargs": given}


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
            "leave out --ckpt_path, or these settings: a checkpoint goes on as it began",
        )


def refuse_other_tasks(ckpt_path: str | None, tasks: Tasks) -> None:
    """Check that a model is judged on the tasks, and the order of classes, that it was trained for.

    Raises:
        EmorecError: There is no checkpoint, or the corpus has other tasks.
    """
    if ckpt_path is None:
        raise EmorecError("a checkpoint to judge", "none", "give --ckpt_path FILE")
    trained = read_checkpoint(ckpt_path)["hyper_parameters"]["tasks"]
    if trained != tasks:
        expected = f"the tasks that the model was trained for, {trained}"
        raise EmorecError(expected, f"{tasks}", "choose a corpus with these classes")


def other_features(checkpoint: Mapping[str, Any], model: Branch) -> list[str]:
    """A warning if a model would hear other features than it was trained on, as from another Whisper; else nothing."""
    trained, here = set(checkpoint.get(FEATURES, _keys(model))), set(_keys(model))
    if trained == here:
        return []
    return [
        f"the model was trained on the features {_listed(trained - here)} and would be judged on "
        f"{_listed(here - trained)}: set EMOREC_WHISPER, or the files that it reads, as they were"
    ]


def _keys(model: Branch) -> list[str]:
    return sorted(feature.key for feature in model.features)


def _listed(keys: set[str]) -> str:
    return ", ".join(sorted(keys)) or "none"


def with_config_of_checkpoint(args: list[str], held: ExitStack) -> list[str]:
    """Where `validate` or `test` is given a checkpoint and no config, use the config inside the checkpoint.

    All but where it was trained: a model from eight GPUs is judged on whatever is here.
    """
    verb, *rest = args or [""]
    file = _option(rest, "--ckpt_path")
    if verb not in ("validate", "test") or file is None or _option(rest, "--config") or _option(rest, "-c"):
        return args
    checkpoint = read_checkpoint(file)
    if RUN_CONFIG not in checkpoint:
        raise EmorecError("a checkpoint that `fit` wrote", f"{file} without a config", "give --config too")
    folder = Path(held.enter_context(TemporaryDirectory()))
    config = yaml.safe_load(checkpoint[RUN_CONFIG])
    config.pop("ckpt_path", None)
    for knob in PLACE:
        config["trainer"].pop(knob, None)
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf8")
    return [verb, "--config", str(folder / "config.yaml"), *rest]


def _option(args: list[str], name: str) -> str | None:
    for position, arg in enumerate(args):
        if arg == name and position + 1 < len(args):
            return args[position + 1]
        if arg.startswith(f"{name}="):
            return arg.partition("=")[2]
    return None
