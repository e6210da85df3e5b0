"""Support vector machines over numbers about the whole of a clip."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from torch import Tensor

from lightning_emorec.branches.calibrated import calibrate, held_out_scores
from lightning_emorec.branches.closed_form import ClosedFormBranch
from lightning_emorec.branches.kernel_machine import (
    Expansion,
    Kernel,
    KernelMachine,
    expansion,
    one_against_rest,
)
from lightning_emorec.branches.standardiser import LIMIT, Standardiser
from lightning_emorec.dataset import labels
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Feature, FunctionalSet, functionals_feature
from lightning_emorec.features.functionals import stack
from lightning_emorec.types import UNLABELLED, Batch, Logits, Tasks


class FunctionalsSvc(ClosedFormBranch):
    """Standardised functionals into support vector machines, whose scores are calibrated into logits.

    Each task is solved by itself, one class against the rest. The calibration is learned on scores of training
    clips by machines that never heard their actor.

    Args:
        tasks: Task name -> class names.
        functionals: openSMILE's eGeMAPSv02 (88 numbers) or ComParE_2016 (6373), or librosa's (386).
        kernel: `rbf` or `linear`.
        c: Price of a training clip on the wrong side.
        gamma: Of `rbf`, for squared distances in deviations; null means 1 / the number of functionals.
        folds: Groups of training actors that are held out in turn for the calibration.

    Raises:
        EmorecError: An argument out of range.
    """

    def __init__(
        self,
        tasks: Tasks,
        functionals: FunctionalSet = "eGeMAPSv02",
        kernel: Kernel = "rbf",
        c: float = 1.0,
        gamma: float | None = None,
        folds: int = 5,
    ) -> None:
        super().__init__(tasks)
        for knob, value in {"c": c, "gamma": gamma}.items():
            if value is not None and value <= 0:
                raise EmorecError(f"{knob} above 0", f"{value}", f"mend model.init_args.{knob}")
        if folds < 2:
            raise EmorecError("folds of at least 2", f"{folds}", "mend model.init_args.folds")
        self.feature = functionals_feature(functionals)
        self.kernel = kernel
        self.c = c
        self.gamma = gamma or 1 / self.feature.size
        self.folds = folds
        self.standardiser = Standardiser(self.feature.size)
        self.machine = KernelMachine(tasks, self.feature.size, kernel, self.gamma)

    @classmethod
    def features_of(cls, init_args: Mapping[str, Any]) -> list[Feature]:
        """The functionals that these arguments ask for."""
        return [functionals_feature(init_args.get("functionals", "eGeMAPSv02"))]

    @cached_property
    def feature_key(self) -> str:
        """Key of the functionals in `Batch.features`."""
        return self.feature.key

    def solve(self) -> None:
        """Fit the machines of every task, calibrate them, and keep them as tensors.

        Raises:
            EmorecError: All training clips are of one actor.
        """
        clips = self.data.usable("train")
        values = stack(self.data.training_features()[self.feature_key])  # (clips, size)
        actors = np.array([clip.actor for clip in clips])
        indices = [labels(clip, self.tasks) for clip in clips]
        self.standardiser.learn(values)
        standard = self.standardiser.cpu()(torch.from_numpy(values)).numpy()
        expansions = {
            task: self._fit(
                values, standard, np.array([index[task] for index in indices]), actors, len(names)
            )
            for task, names in self.tasks.items()
        }
        self.machine.learn(standard, expansions)

    def _fit(
        self,
        values: NDArray[np.float32],
        standard: NDArray[np.float32],
        wanted: NDArray[np.int64],
        actors: NDArray[np.str_],
        classes: int,
    ) -> Expansion:
        """Logits of one task, over all training clips; `standard` is `values` standardised by all of them."""
        known = np.flatnonzero(wanted != UNLABELLED)
        wanted = wanted[known]
        weight = np.zeros((classes, len(values)))
        if len(np.unique(wanted)) < 2:
            return Expansion(weight, calibrate(np.zeros((len(known), classes)), wanted)[1])
        machines = one_against_rest(self.kernel, self.c, self.gamma)
        limit = FunctionTransformer(np.clip, kw_args={"a_min": -LIMIT, "a_max": LIMIT})
        pipeline = make_pipeline(StandardScaler(), limit, machines)
        scores = held_out_scores(pipeline, values[known], wanted, actors[known].tolist(), classes, self.folds)
        spread = (
            scores.std() or 1.0
        )  # the size of scores depends on the kernel; the calibration's ridge must not
        calibration, bias = calibrate(scores / spread, wanted)
        made = expansion(machines.fit(standard[known], wanted), len(known), classes)
        made = made.then(calibration / spread, bias)
        weight[:, known] = made.weight
        return Expansion(weight, made.bias)

    def forward(self, batch: Batch) -> Logits:
        """Logits of each task, (batch, classes), from the functionals alone."""
        values = self.standardiser(cast(Tensor, batch.features[self.feature_key]))
        return cast(Logits, self.machine(values))
