"""An average of the weights over the last steps of training, which generalises better than the last step's."""

from __future__ import annotations

from functools import partial
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from lightning_emorec.errors import EmorecError


class AveragedWeights(WeightAveraging):
    """An exponential moving average of weights and buffers; it is what is validated, saved and tested.

    Lightning's own EMAWeightAveraging remembers the random initial weights for 1 / (1 - decay) steps, which is all
    of a short training. Here the decay after n steps is at most n / (n + 9).

    Args:
        decay: Share of the average that a step keeps.
    """

    def __init__(self, decay: float = 0.997) -> None:
        if not 0 <= decay < 1:
            raise EmorecError("decay in [0, 1)", f"{decay}", "set decay of AveragedWeights")
        super().__init__(avg_fn=partial(averaged, decay))

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Wait: a callback is set up before its model, which may get weights in its own `setup`."""

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin, unless a checkpoint has begun it."""
        self._begin(trainer, pl_module)

    def _begin(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._average_model is None:
            super().setup(trainer, pl_module, "fit")

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """End the averaging with the training: Lightning would give the last step's weights back to test them."""
        super().teardown(trainer, pl_module, stage)
        if stage == "fit" and self._average_model is not None:
            self._copy_average_to_current(pl_module)  # also where a resumed training had nothing left to do
            self._average_model = None

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Take up the averaging where training goes on; to be judged, a checkpoint holds the average as it is."""
        if trainer.state.fn == TrainerFn.FITTING:
            self._begin(trainer, pl_module)
            super().on_load_checkpoint(trainer, pl_module, checkpoint)


def averaged(decay: float, before: Tensor, now: Tensor, steps: Tensor | int) -> Tensor:
    """The average after another step.

    Args:
        decay: Share of `before` that is kept in the long run.
        before: The average, of any shape.
        now: The weights after this step.
        steps: How many steps `before` rests on.
    """
    kept = min(decay, int(steps) / (int(steps) + 9))
    return kept * before + (1 - kept) * now
