"""A multi-layer perceptron over numbers about the whole of a clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_emorec.branches.gradient import GradientBranch
from lightning_emorec.branches.standardiser import Standardiser
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Feature, FunctionalSet, Value, functionals_feature
from lightning_emorec.types import Batch, Logits, Tasks


class FunctionalsMlp(GradientBranch):
    """Standardised functionals, hidden layers with LayerNorm and dropout, and a linear head a task.

    Args:
        tasks: Task name -> class names.
        functionals: openSMILE's eGeMAPSv02 (88 numbers) or ComParE_2016 (6373), or librosa's (386).
        hidden: Units of each hidden layer.
        layers: Hidden layers.
        input_dropout: Share of the functionals that are left out of each training clip.
        dropout: After each hidden layer.
        loss_weights: Task name -> factor of its loss; a task that is not named weighs 1.
        label_smoothing: Share of the target that is spread over all classes.
        class_weights: Weigh each class by the inverse of its share of the training clips.
        lr: Peak learning rate.
        weight_decay: Of matrices.
        warmup_epochs: Epochs of linear rise to `lr`.

    Raises:
        EmorecError: An argument out of range.
    """

    def __init__(
        self,
        tasks: Tasks,
        functionals: FunctionalSet = "eGeMAPSv02",
        hidden: int = 128,
        layers: int = 2,
        input_dropout: float = 0.1,
        dropout: float = 0.5,
        loss_weights: dict[str, float] | None = None,
        label_smoothing: float = 0.1,
        class_weights: bool = False,
        lr: float = 1e-3,
        weight_decay: float = 0.05,
        warmup_epochs: float = 1.0,
    ) -> None:
        super().__init__(tasks, loss_weights, label_smoothing, class_weights, lr, weight_decay, warmup_epochs)
        for knob, count in {"hidden": hidden, "layers": layers}.items():
            if count < 1:
                raise EmorecError(f"{knob} of at least 1", f"{count}", f"mend model.init_args.{knob}")
        for knob, share in {"input_dropout": input_dropout, "dropout": dropout}.items():
            if not 0 <= share < 1:
                raise EmorecError(f"{knob} in [0, 1)", f"{share}", f"mend model.init_args.{knob}")
        self.feature = functionals_feature(functionals)
        self.standardiser = Standardiser(self.feature.size)
        widths = [self.feature.size, *[hidden] * layers]
        self.body = nn.Sequential(
            nn.Dropout(input_dropout),
            *(_layer(before, after, dropout) for before, after in pairwise(widths)),
        )
        self.embed_size = hidden
        self.heads = nn.ModuleDict({task: nn.Linear(hidden, len(classes)) for task, classes in tasks.items()})

    @classmethod
    def features_of(cls, init_args: Mapping[str, Any]) -> list[Feature]:
        """The functionals that these arguments ask for."""
        return [functionals_feature(init_args.get("functionals", "eGeMAPSv02"))]

    @cached_property
    def feature_key(self) -> str:
        """Key of the functionals in `Batch.features`."""
        return self.feature.key

    def learn_from_training(self, features: Mapping[str, Sequence[Value]]) -> None:
        """Learn each functional's mean and deviation."""
        values = cast("Sequence[NDArray[np.float32]]", features[self.feature_key])
        self.standardiser.learn_from(value[None] for value in values)

    def forward(self, batch: Batch) -> Logits:
        """Logits of each task, (batch, classes), from the functionals alone."""
        states = self.embed(batch)
        return {task: head(states) for task, head in self.heads.items()}

    def embed(self, batch: Batch) -> Tensor:
        """(batch, embed_size): the last hidden layer."""
        standardised = self.standardiser(cast(Tensor, batch.features[self.feature_key]))
        states: Tensor = self.body(standardised)  # (batch, hidden)
        return states


def _layer(before: int, after: int, dropout: float) -> nn.Sequential:
    # LayerNorm, since a batch of one clip has no batch statistics.
    return nn.Sequential(nn.Linear(before, after), nn.LayerNorm(after), nn.GELU(), nn.Dropout(dropout))
