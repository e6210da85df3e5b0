"""What a model that is solved in one process still does in several: its features."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightning.pytorch import Trainer

from lightning_emorec.branches import ClosedFormBranch
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.distributed.launch import Launch, leave_launch
from lightning_emorec.distributed.process_group import leave_group
from lightning_emorec.distributed.shutdown import keep_handlers
from lightning_emorec.fusion import FusionModule


@dataclass(frozen=True)
class Processes:
    """The processes that a config asks for.

    Attributes:
        accelerator: What each of them runs on.
        devices: How many on each machine.
        num_nodes: On how many machines.
        strategy: How they work together.
    """

    accelerator: Any
    devices: Any
    num_nodes: int
    strategy: Any

    @classmethod
    def taken_from(cls, trainer: Any) -> Processes:
        """Note what a config's section `trainer` asks for, and make it ask for one process.

        DDP refuses a module that no gradient reaches.
        """
        asked = cls(trainer.accelerator, trainer.devices, trainer.num_nodes, trainer.strategy)
        trainer.devices, trainer.num_nodes, trainer.strategy = 1, 1, "auto"
        return asked

    def go_on_alone(self, model: ClosedFormBranch, data: EmotionDataModule, folder: str) -> None:
        """Compute what the feature cache lacks in all processes, and go on in the first of them.

        Args:
            model: To be solved.
            data: Its datamodule.
            folder: Where Lightning may write.

        Raises:
            SystemExit: In all other processes.
        """
        trainer = Trainer(**self._arguments(), default_root_dir=folder)
        keep_handlers(trainer)
        if trainer.world_size > 1 and _have_work(model, data):
            trainer.predict(model, datamodule=data, return_predictions=False)  # of no batch: it sets up
            first = trainer.is_global_zero
            leave_group()
        else:
            launch = Launch.of_environment()
            first = launch is None or launch.rank == 0
        leave_launch()
        if not first:
            raise SystemExit(0)

    def _arguments(self) -> Mapping[str, Any]:
        return {
            "accelerator": self.accelerator,
            "devices": self.devices,
            "num_nodes": self.num_nodes,
            "strategy": self.strategy,
            "limit_predict_batches": 0,
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
        }


def _have_work(model: ClosedFormBranch, data: EmotionDataModule) -> bool:
    """Whether to start several processes, or to go on in those that were started; in all of them alike."""
    if isinstance(model, FusionModule):  # its branches have computed its features
        return False
    started = "LOCAL_RANK" in os.environ or Launch.of_environment() is not None
    return started or data.lacks(model.features)
