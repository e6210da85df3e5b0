"""Emotions from a lexicon of sentiment."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import linear

from lightning_emorec.branches.calibrated import calibrate
from lightning_emorec.branches.closed_form import ClosedFormBranch
from lightning_emorec.branches.transcript_args import transcript_of
from lightning_emorec.dataset import labels
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Feature, TranscriptSource, VaderScores
from lightning_emorec.features.vader import VADER_SCORES
from lightning_emorec.types import UNLABELLED, Batch, Logits, Tasks


class Vader(ClosedFormBranch):
    """VADER's four scores of a transcript, standardised, and a multinomial logistic regression a task.

    Args:
        tasks: Task name -> class names.
        transcript: Where the text comes from: `whisper`, the corpus's `reference`, or a `file`.
        whisper: Name or path of the Whisper model; null means `$EMOREC_WHISPER`, else tiny.en.
        transcript_file: A CSV with the columns clip and text, for `transcript: file`.
        context_s: Pad clips to this and not to 30 s before Whisper hears them: faster, less faithful.
        c: Inverse strength of the regression's ridge.

    Raises:
        EmorecError: An argument out of range.
    """

    def __init__(
        self,
        tasks: Tasks,
        transcript: TranscriptSource = "whisper",
        whisper: str | None = None,
        transcript_file: str | None = None,
        context_s: float | None = None,
        c: float = 1.0,
    ) -> None:
        super().__init__(tasks)
        if c <= 0:
            raise EmorecError("a positive c", f"{c}", "mend model.init_args.c")
        self.c = c
        self.register_buffer("mean", torch.zeros(len(VADER_SCORES)))
        self.register_buffer("deviation", torch.ones(len(VADER_SCORES)))
        for task, classes in tasks.items():
            self.register_buffer(f"weight_{task}", torch.zeros(len(classes), len(VADER_SCORES)))
            self.register_buffer(f"bias_{task}", torch.zeros(len(classes)))

    @classmethod
    def features_of(cls, init_args: Mapping[str, Any]) -> list[Feature]:
        """The scores of the transcript that these arguments ask for."""
        return [VaderScores(transcript_of(init_args))]

    @cached_property
    def scores_key(self) -> str:
        """Key of the scores in `Batch.features`; kept, since it costs a look at the disk."""
        return self.features[0].key

    def forward(self, batch: Batch) -> Logits:
        """Logits of each task, (batch, classes), from the transcripts alone."""
        scores = self._standard(cast(Tensor, batch.features[self.scores_key]))  # (batch, 4)
        return {
            task: linear(scores, self.get_buffer(f"weight_{task}"), self.get_buffer(f"bias_{task}"))
            for task in self.tasks
        }

    def solve(self) -> None:
        """Learn the scores' mean and deviation, and a regression for each task, from the training clips."""
        (feature,) = self.features
        scores = cast(Tensor, feature.collate(self.data.training_features()[feature.key]))  # (clips, 4)
        self.get_buffer("mean").copy_(scores.mean(0))
        self.get_buffer("deviation").copy_(scores.std(0, correction=0).clamp(min=1e-6))
        standard = self._standard(scores.to(self.device)).cpu().double().numpy()
        clips = self.data.usable("train")
        for task, classes in self.tasks.items():
            found = np.array([labels(clip, self.tasks)[task] for clip in clips])
            known = found != UNLABELLED
            weight, bias = calibrate(standard[known], found[known], self.c, len(classes))
            self.get_buffer(f"weight_{task}").copy_(torch.from_numpy(weight))
            self.get_buffer(f"bias_{task}").copy_(torch.from_numpy(bias))

    def _standard(self, scores: Tensor) -> Tensor:
        return (scores - self.get_buffer("mean")) / self.get_buffer("deviation")
