"""Computes the features of a model in several processes before the model is solved in one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Trainer

from lightning_emorec.branches import ClosedFormBranch
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.distributed.launch import Launch, leave_launch
from lightning_emorec.distributed.process_group import keep_handlers, leave_group, rank_arguments
from lightning_emorec.fusion import FusionModule

PROCESSES = ("accelerator", "devices", "num_nodes", "strategy")


def take_processes(trainer: Namespace) -> dict[str, Any]:
    """Return the process settings of a config's section `trainer`, and change the section to a single process.

    DDP refuses a module without parameters that require a gradient.
    """
    asked = {key: trainer[key] for key in PROCESSES}
    trainer.devices, trainer.num_nodes, trainer.strategy = 1, 1, "auto"
    return asked


def compute_features_then_run_on_rank_zero(
    processes: Mapping[str, Any],
    model: ClosedFormBranch,
    data: EmotionDataModule,
    folder: Path,
    *arguments: str,
) -> None:
    """Compute the features that the cache lacks in all processes; return on rank 0 and exit on the others.

    Args:
        processes: The result of `take_processes`.
        model: The model to solve afterwards.
        data: Its datamodule.
        folder: `default_root_dir` of Lightning.
        arguments: Appended to the command line of ranks that Lightning starts.

    Raises:
        SystemExit: On every other rank.
    """
    trainer = Trainer(
        **processes,
        limit_predict_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    keep_handlers(trainer)
    if trainer.world_size > 1 and _have_work(model, data):
        with rank_arguments(trainer, *arguments):
            trainer.predict(
                model, datamodule=data, return_predictions=False
            )  # no batches: runs `prepare_data` and `setup`
        first = trainer.is_global_zero
        leave_group()
    else:
        launch = Launch.of_environment()
        first = launch is None or launch.rank == 0
    leave_launch()
    if not first:
        raise SystemExit(0)


def _have_work(model: ClosedFormBranch, data: EmotionDataModule) -> bool:
    """Whether to use several processes; the result is the same on every rank."""
    if isinstance(model, FusionModule):  # the training of its branches has filled the cache
        return False
    started = "LOCAL_RANK" in os.environ or Launch.of_environment() is not None
    return started or data.lacks(model.features)
