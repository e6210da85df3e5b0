"""Emotions from a lexicon of sentiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import linear

from lightning_emorec.branches.calibrated import calibrate
from lightning_emorec.branches.checks import check_above_zero
from lightning_emorec.branches.closed_form import PerTaskBranch
from lightning_emorec.branches.transcript import TranscriptBranch
from lightning_emorec.features import Feature, VaderScores
from lightning_emorec.features.vader import VADER_SCORES
from lightning_emorec.training_data import LabelledClips, TrainingData
from lightning_emorec.types import Batch, Logits, Tasks

Array = NDArray[np.float64]


class Vader(TranscriptBranch, PerTaskBranch):
    """VADER's four scores of a transcript, standardised, and a multinomial logistic regression a task.

    Args:
        tasks: Task name -> class names.
        c: Inverse strength of the regression's ridge.
        recipe: As `TranscriptBranch`.
    """

    def __init__(self, tasks: Tasks, c: float = 1.0, **recipe: Any) -> None:
        super().__init__(tasks, **recipe)
        check_above_zero(c=c)
        self.c = c
        self.register_buffer("mean", torch.zeros(len(VADER_SCORES)))
        self.register_buffer("deviation", torch.ones(len(VADER_SCORES)))
        for task, classes in tasks.items():
            self.register_buffer(f"weight_{task}", torch.zeros(len(classes), len(VADER_SCORES)))
            self.register_buffer(f"bias_{task}", torch.zeros(len(classes)))

    @classmethod
    def features_of(cls, init_args: Mapping[str, Any]) -> list[Feature]:
        """The scores of the transcript."""
        return [VaderScores(cls.transcript_of(init_args))]

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        """The scores, (batch, 4)."""
        return {"scores": cast(Tensor, batch.features[self.feature_keys[0]])}

    def net(self, scores: Tensor) -> Logits:
        """Logits of each task, (batch, classes)."""
        standard = self._standard(scores)
        return {
            task: linear(standard, self.get_buffer(f"weight_{task}"), self.get_buffer(f"bias_{task}"))
            for task in self.tasks
        }

    def learn_rows(self, training: TrainingData) -> Array:
        """Learn the scores' mean and deviation, and standardise them: (clips, 4)."""
        scores: Tensor = training.collated(self.features[0])
        self.get_buffer("mean").copy_(scores.mean(0))
        self.get_buffer("deviation").copy_(scores.std(0, correction=0).clamp(min=1e-6))
        return cast(Array, self._standard(scores.to(self.device)).cpu().double().numpy())

    def solve_task(self, rows: Array, labelled: LabelledClips) -> tuple[Array, Array]:
        """Weights and biases of a regression."""
        return calibrate(rows[labelled.places], labelled.labels, self.c, labelled.classes)

    def take(self, rows: Array, solved: dict[str, tuple[Array, Array]]) -> None:
        """Keep weights and biases."""
        for task, (weight, bias) in solved.items():
            self.get_buffer(f"weight_{task}").copy_(torch.from_numpy(weight))
            self.get_buffer(f"bias_{task}").copy_(torch.from_numpy(bias))

    def _standard(self, scores: Tensor) -> Tensor:
        return (scores - self.get_buffer("mean")) / self.get_buffer("deviation")
