"""What a model that is solved in one process still does in several: its features."""

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
    """Return the processes that a config's section `trainer` asks for, and make it ask for one.

    DDP refuses a module that no gradient reaches.
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
    """Compute what the feature cache lacks in all processes, and return in the first of them.

    Args:
        processes: What `take_processes` returned.
        model: To be solved.
        data: Its datamodule.
        folder: Where Lightning may write.
        arguments: Appended to the command line of ranks that Lightning starts.

    Raises:
        SystemExit: In all other processes.
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
            trainer.predict(model, datamodule=data, return_predictions=False)  # of no batch: it sets up
        first = trainer.is_global_zero
        leave_group()
    else:
        launch = Launch.of_environment()
        first = launch is None or launch.rank == 0
    leave_launch()
    if not first:
        raise SystemExit(0)


def _have_work(model: ClosedFormBranch, data: EmotionDataModule) -> bool:
    """Whether to start several processes, or to go on in those that were started; in all of them alike."""
    if isinstance(model, FusionModule):  # its branches have computed its features
        return False
    started = "LOCAL_RANK" in os.environ or Launch.of_environment() is not None
    return started or data.lacks(model.features)
