"""An average of the weights over the last steps of training, which generalises better than the last step's."""

from __future__ import annotations

from functools import partial

from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from lightning_emorec.types import EmorecError


class AveragedWeights(WeightAveraging):
    """An exponential moving average of weights and buffers; it is what is validated, saved and tested.

    Lightning's own EMAWeightAveraging remembers the random initial weights for 1 / (1 - decay) steps, which is all
    of a short training. Here the decay after n steps is at most n / (n + 9).

    Args:
        decay: Share of the average that a step keeps.

    Raises:
        EmorecError: A decay that is not in [0, 1).
    """

    def __init__(self, decay: float = 0.997) -> None:
        if not 0 <= decay < 1:
            raise EmorecError("decay in [0, 1)", f"{decay}", "mend decay of AveragedWeights")
        super().__init__(avg_fn=partial(averaged, decay))


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
