"""Exponential moving average of the weights, which generalises better than the weights of the last step."""

from __future__ import annotations

from functools import partial
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from lightning_emorec.errors import EmorecError


class AveragedWeights(WeightAveraging):
    """Validates, saves and tests an exponential moving average of weights and buffers.

    Lightning's `EMAWeightAveraging` keeps the random initial weights in the average for about 1 / (1 - decay) steps,
    which is all of a short training. Here the decay after n steps is at most n / (n + 9).

    Args:
        decay: Share of the average that a step keeps.
    """

    def __init__(self, decay: float = 0.997) -> None:
        if not 0 <= decay < 1:
            raise EmorecError("decay in [0, 1)", f"{decay}", "set decay of AveragedWeights")
        super().__init__(avg_fn=partial(averaged, decay))

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Do nothing yet: the model is set up after its callbacks, and may load weights in its `setup`."""

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin averaging, unless it was restored from a checkpoint."""
        self._begin(trainer, pl_module)

    def _begin(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._average_model is None:
            super().setup(trainer, pl_module, "fit")

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Keep the average after training: Lightning would test the weights of the last step instead."""
        super().teardown(trainer, pl_module, stage)
        if stage == "fit" and self._average_model is not None:
            self._copy_average_to_current(pl_module)  # also if the resumed run had no epoch left
            self._average_model = None

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Resume averaging if the training is resumed; to evaluate, the checkpoint's weights are the average."""
        if trainer.state.fn == TrainerFn.FITTING:
            self._begin(trainer, pl_module)
            super().on_load_checkpoint(trainer, pl_module, checkpoint)


def averaged(decay: float, before: Tensor, now: Tensor, steps: Tensor | int) -> Tensor:
    """The average of `before`, an average over so many steps, and the weights `now`; tensors of the same shape."""
    kept = min(decay, int(steps) / (int(steps) + 9))
    return kept * before + (1 - kept) * now
