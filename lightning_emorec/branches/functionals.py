"""Branches over numbers about the whole of a clip: a multi-layer perceptron, and support vector machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_emorec.branches.branch import Branch
from lightning_emorec.branches.calibrated import calibrate, held_out_scores
from lightning_emorec.branches.checks import check_above_zero, check_at_least, check_shares
from lightning_emorec.branches.closed_form import PerTaskBranch
from lightning_emorec.branches.gradient import GradientBranch
from lightning_emorec.branches.kernel_machine import (
    Expansion,
    Kernel,
    KernelMachine,
    expansion,
    one_against_rest,
)
from lightning_emorec.branches.readout import LIMIT, Standardiser
from lightning_emorec.features import Feature, FunctionalSet, functionals_feature
from lightning_emorec.features.functionals import stack
from lightning_emorec.training_data import LabelledClips, TrainingData
from lightning_emorec.types import Batch, Logits, Tasks


class FunctionalsBranch(Branch):
    """A branch over standardised functionals.

    Args:
        tasks: Task name -> class names.
        functionals: openSMILE's eGeMAPSv02 (88 numbers) or ComParE_2016 (6373), or librosa's (386).
        recipe: As the class that follows.
    """

    def __init__(self, tasks: Tasks, functionals: FunctionalSet = "eGeMAPSv02", **recipe: Any) -> None:
        super().__init__(tasks, **recipe)
        self.size = functionals_feature(functionals).size
        self.standardiser = Standardiser(self.size)

    @classmethod
    def features_of(cls, init_args: Mapping[str, Any]) -> list[Feature]:
        """The functionals."""
        return [functionals_feature(cls.with_defaults(init_args)["functionals"])]

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        """The functionals, (batch, size)."""
        return {"functionals": cast(Tensor, batch.features[self.feature_keys[0]])}


class FunctionalsMlp(FunctionalsBranch, GradientBranch):
    """Standardised functionals, hidden layers with LayerNorm and dropout, and a linear head a task.

    Args:
        tasks: Task name -> class names.
        hidden: Units of each hidden layer.
        layers: Hidden layers.
        input_dropout: Share of the functionals that are left out of each training clip.
        dropout: After each hidden layer.
        weight_decay: Of matrices.
        recipe: As `FunctionalsBranch` and `GradientBranch`.
    """

    def __init__(
        self,
        tasks: Tasks,
        hidden: int = 128,
        layers: int = 2,
        input_dropout: float = 0.1,
        dropout: float = 0.5,
        weight_decay: float = 0.05,
        **recipe: Any,
    ) -> None:
        super().__init__(tasks, weight_decay=weight_decay, **recipe)
        check_at_least(1, hidden=hidden, layers=layers)
        check_shares(input_dropout=input_dropout, dropout=dropout)
        self.body = nn.Sequential(
            nn.Dropout(input_dropout),
            *(_layer(before, after, dropout) for before, after in pairwise([self.size, *[hidden] * layers])),
        )
        self.add_heads(hidden)

    def learn_from_training(self, training: TrainingData) -> None:
        """Learn class weights, and each functional's mean and deviation."""
        super().learn_from_training(training)
        values = cast("Sequence[NDArray[np.float32]]", training.features[self.feature_keys[0]])
        self.standardiser.learn_from(value[None] for value in values)

    def encode(self, functionals: Tensor) -> Tensor:
        """(batch, embed_size): the last hidden layer."""
        states: Tensor = self.body(self.standardiser(functionals))
        return states


def _layer(before: int, after: int, dropout: float) -> nn.Sequential:
    # LayerNorm, since a batch of one clip has no batch statistics.
    return nn.Sequential(nn.Linear(before, after), nn.LayerNorm(after), nn.GELU(), nn.Dropout(dropout))


@dataclass(frozen=True)
class _Rows:
    """(clips, size) each: functionals of the training clips, and the same standardised by all of them."""

    values: NDArray[np.float32]
    standard: NDArray[np.float32]


class FunctionalsSvc(FunctionalsBranch, PerTaskBranch):
    """Standardised functionals into support vector machines, whose scores are calibrated into logits.

    Each task is solved by itself, one class against the rest. The calibration is learned on scores of training
    clips by machines that were not fitted on their actor.

    Args:
        tasks: Task name -> class names.
        kernel: `rbf` or `linear`.
        c: Inverse regularisation strength.
        gamma: Of `rbf`, for squared distances in deviations; null means 1 / the number of functionals.
        folds: Groups of training actors that are held out in turn for the calibration.
        recipe: As `FunctionalsBranch`.
    """

    def __init__(
        self,
        tasks: Tasks,
        kernel: Kernel = "rbf",
        c: float = 1.0,
        gamma: float | None = None,
        folds: int = 5,
        **recipe: Any,
    ) -> None:
        super().__init__(tasks, **recipe)
        check_above_zero(c=c, gamma=gamma)
        check_at_least(2, folds=folds)
        self.kernel = kernel
        self.c = c
        self.gamma = gamma or 1 / self.size
        self.folds = folds
        self.machine = KernelMachine(tasks, self.size, kernel, self.gamma)

    def net(self, functionals: Tensor) -> Logits:
        """Logits of each task, (batch, classes)."""
        return cast(Logits, self.machine(self.standardiser(functionals)))

    def learn_rows(self, training: TrainingData) -> _Rows:
        """Learn each functional's mean and deviation."""
        values = stack(training.features[self.feature_keys[0]])
        self.standardiser.learn(values)
        return _Rows(values, self.standardiser.cpu()(torch.from_numpy(values)).numpy())

    def solve_task(self, rows: _Rows, labelled: LabelledClips) -> Expansion:
        """Fit and calibrate the machines of one task, over all training clips.

        Raises:
            EmorecError: All training clips are of one actor.
        """
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer, StandardScaler

        known, wanted, classes = labelled.places, labelled.labels, labelled.classes
        weight = np.zeros((classes, len(rows.values)))
        if len(np.unique(wanted)) < 2:
            return Expansion(weight, calibrate(np.zeros((len(known), classes)), wanted)[1])
        machines = one_against_rest(self.kernel, self.c, self.gamma)
        limit = FunctionTransformer(np.clip, kw_args={"a_min": -LIMIT, "a_max": LIMIT})
        pipeline = make_pipeline(StandardScaler(), limit, machines)
        actors = labelled.actors.tolist()
        scores = held_out_scores(pipeline, rows.values[known], wanted, actors, classes, self.folds)
        # The size of scores depends on the kernel; the calibration's ridge must not.
        deviation = scores.std() or 1.0
        calibration, bias = calibrate(scores / deviation, wanted)
        made = expansion(machines.fit(rows.standard[known], wanted), len(known), classes)
        made = made.then(calibration / deviation, bias)
        weight[:, known] = made.weight
        return Expansion(weight, made.bias)

    def take(self, rows: _Rows, solved: dict[str, Expansion]) -> None:
        """Keep the support vectors of all tasks."""
        self.machine.learn(rows.standard, solved)
