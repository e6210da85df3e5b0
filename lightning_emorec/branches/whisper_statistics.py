"""Regression on what Whisper's encoder makes of a clip."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lightning_emorec.branches.calibrated import calibrate
from lightning_emorec.branches.closed_form import ClosedFormBranch
from lightning_emorec.branches.linear_readout import LinearReadout
from lightning_emorec.dataset import labels
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Feature, WhisperStateStatistics
from lightning_emorec.features.whisper_states import check_layers, chosen_layers
from lightning_emorec.types import UNLABELLED, Batch, Logits, Tasks


class WhisperStatistics(ClosedFormBranch):
    """Mean and deviation over time of Whisper's states, standardised, into a multinomial logistic regression.

    Each task is solved by itself, on every view of every training clip. A clip is judged by all its views: their
    log-probabilities are averaged.

    Args:
        tasks: Task name -> class names.
        whisper: Name or path of the Whisper model; null means `$EMOREC_WHISPER`, else tiny.en.
        margin_s: Silence that Whisper hears after a clip's end; null fills 30 s: nine times slower.
        views: 1 hears each clip as it is; more, also slower, faster and in noise.
        trim_db: States of silence before and after the speech, this far below the loudest frame, do not count;
            null counts all.
        layers: Layers of the encoder, counted from 1; null takes all.
        c: Price of a training clip that is not predicted; the smaller, the more alike the numbers' weights.

    Raises:
        EmorecError: An argument out of range.
    """

    def __init__(
        self,
        tasks: Tasks,
        whisper: str | None = None,
        margin_s: float | None = 0.5,
        views: int = 4,
        trim_db: float | None = 30.0,
        layers: list[int] | None = None,
        c: float = 3e-3,
    ) -> None:
        super().__init__(tasks)
        if c <= 0:
            raise EmorecError("a positive c", f"{c}", "mend model.init_args.c")
        check_layers(layers)
        self.feature = WhisperStateStatistics(whisper, margin_s, trim_db, views)
        self.layers = layers
        self.c = c
        self.readout = LinearReadout(tasks)

    @classmethod
    def features_of(cls, init_args: Mapping[str, Any]) -> list[Feature]:
        """The statistics that these arguments ask for."""
        given = {"whisper": None, "margin_s": 0.5, "views": 4, "trim_db": 30.0, **init_args}
        heard = (given[name] for name in ("whisper", "margin_s", "trim_db", "views"))
        return [WhisperStateStatistics(*heard)]

    @cached_property
    def feature_key(self) -> str:
        """Key of the statistics in `Batch.features`; kept, since it costs a look at the disk."""
        return self.feature.key

    def solve(self) -> None:
        """Fit the regression of every task to all views of the training clips.

        Raises:
            EmorecError: The model has fewer layers than are asked for.
        """
        clips = self.data.usable("train")
        rows = self._rows(self.feature.collate(self.data.training_features()[self.feature_key]))
        standard = self.readout.learn_scale(rows.flatten(0, 1).numpy()).reshape(rows.shape)
        solved = {}
        for task, classes in self.tasks.items():
            found = np.array([labels(clip, self.tasks)[task] for clip in clips])
            known = found != UNLABELLED
            solved[task] = _regression(standard[known], found[known], self.c, len(classes))
        self.readout.learn(solved)

    def forward(self, batch: Batch) -> Logits:
        """Logits of each task, (batch, classes): the mean of the views' log-probabilities."""
        views = self.readout(self._rows(cast(Tensor, batch.features[self.feature_key])))
        return {task: rows.log_softmax(dim=2).mean(dim=1) for task, rows in views.items()}

    def _rows(self, statistics: Tensor) -> Tensor:
        """(batch, views, size) from (batch, views, layers, 2 * width)."""
        return chosen_layers(statistics, self.layers, dim=2).flatten(2)


def _regression(
    rows: NDArray[np.float64], found: NDArray[np.int64], c: float, classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights and biases from (clips, views, size) rows; `c` is divided among the views of a clip."""
    views = rows.shape[1]
    return calibrate(rows.reshape(-1, rows.shape[2]), np.repeat(found, views), c / views, classes)
