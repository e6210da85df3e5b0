"""Branches over cached states of a frozen Whisper encoder: a regression, and a trained head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from lightning_emorec.branches.adaptation import Adapt, SpeakerReadout
from lightning_emorec.branches.calibrated import calibrate
from lightning_emorec.branches.checks import check_above_zero, check_at_least
from lightning_emorec.branches.closed_form import PerTaskBranch
from lightning_emorec.branches.mixed_states import MixedStatesBranch
from lightning_emorec.branches.readout import LinearReadout
from lightning_emorec.features import Feature, WhisperStateFrames, WhisperStateStatistics
from lightning_emorec.features.whisper_states import check_layers, chosen_layers
from lightning_emorec.speaker_scores import SpeakerScores
from lightning_emorec.training_data import LabelledClips, TrainingData
from lightning_emorec.types import Batch, Logits, Tasks

Solution = tuple[NDArray[np.float64], NDArray[np.float64]]
"""(classes, size) weights and (classes,) biases."""


class WhisperStatistics(PerTaskBranch):
    """Mean and deviation over time of Whisper's states, standardised, into a multinomial logistic regression.

    Each task is solved by itself, on every view of every training clip. A clip is judged by all its views: their
    log-probabilities are averaged.

    Args:
        tasks: Task name -> class names.
        whisper: Name or path of the Whisper model; null means `$EMOREC_WHISPER`, else tiny.en.
        margin_s: Silence after a clip's end in Whisper's context; null fills 30 s: nine times slower.
        views: 1 takes each clip as it is; more, also slower, faster and in noise.
        trim_db: States of silence before and after the speech, this far below the loudest frame, do not count;
            null counts all.
        layers: Layers of the encoder, counted from 1; null takes all.
        c: Inverse regularisation strength.
        adapt: `speaker` solves once more on rows from which the mean of their speaker is taken away, so that the branch
            can be adapted to a speaker by unlabelled clips; what it gives without such clips is the same.
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
        adapt: Adapt = "none",
    ) -> None:
        super().__init__(tasks)
        check_above_zero(c=c)
        check_layers(layers)
        WhisperStateStatistics(whisper, margin_s, trim_db, views)  # checks the others
        self.layers = layers
        self.c = c
        self.readout = LinearReadout(tasks)
        self.adapted = SpeakerReadout(tasks) if adapt == "speaker" else None

    @classmethod
    def features_of(cls, init_args: Mapping[str, Any]) -> list[Feature]:
        """The statistics."""
        given = cls.with_defaults(init_args)
        names = ("whisper", "margin_s", "trim_db", "views")
        return [WhisperStateStatistics(*(given[name] for name in names))]

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        """The statistics, (batch, views, layers, 2 * width)."""
        return {"statistics": cast(Tensor, batch.features[self.feature_keys[0]])}

    def net(self, statistics: Tensor) -> Logits:
        """Logits of each task, (batch, classes): the mean of the views' log-probabilities."""
        views = self.readout(self._rows(statistics))
        return {task: rows.log_softmax(dim=2).mean(dim=1) for task, rows in views.items()}

    def learn_rows(self, training: TrainingData) -> NDArray[np.float64]:
        """(clips, views, size), standardised.

        Raises:
            EmorecError: The model has fewer layers than are asked for.
        """
        rows = self._rows(training.collated(self.features[0]))
        return self.readout.learn_scale(rows.flatten(0, 1).numpy()).reshape(rows.shape)

    def solve_task(self, rows: NDArray[np.float64], labelled: LabelledClips) -> Solution:
        """A regression on all views; `c` is divided among the views of a clip."""
        known, views = rows[labelled.places], rows.shape[1]
        wanted = np.repeat(labelled.labels, views)
        return calibrate(known.reshape(-1, rows.shape[2]), wanted, self.c / views, labelled.classes)

    def take(self, rows: NDArray[np.float64], solved: dict[str, Solution]) -> None:
        """Keep weights and biases."""
        self.readout.learn(solved)

    def learn_speakers(self, rows: NDArray[np.float64], training: TrainingData) -> None:
        """Solve on adapted rows."""
        if self.adapted is not None:
            self.adapted.learn(rows, training, self.readout, self.solve_task)

    def speaker_scores(self, batch: Batch, logits: Logits) -> dict[str, SpeakerScores]:
        """Scores of every view by both solutions."""
        if self.adapted is None:
            return {}
        standard = self.readout.standardiser(self._rows(**self.inputs(batch)))
        return self.adapted.scores(standard, self.readout, logits)

    def _rows(self, statistics: Tensor) -> Tensor:
        """(batch, views, size) from (batch, views, layers, 2 * width)."""
        return chosen_layers(statistics, self.layers, dim=2).flatten(2)


class WhisperEncoder(MixedStatesBranch):
    """States of a frozen Whisper, mixed over layers, projected, pooled by attention, and a linear head a task.

    The states are features, computed once and kept in 16 bits, so an epoch costs next to nothing. In training each
    clip is one of its views, drawn anew each time; it is judged by all of them: their log-probabilities are averaged.

    Args:
        tasks: Task name -> class names.
        whisper: Name or path of the Whisper model; null means `$EMOREC_WHISPER`, else tiny.en.
        margin_s: Silence after a clip's end in Whisper's context; null fills 30 s: nine times slower.
        trim_db: States of silence before and after the speech, this far below the loudest frame, do not count;
            null counts all.
        views: 1 takes each clip as it is; more, also slower, faster and in noise.
        layers: Layers of the encoder, counted from 1; null takes all.
        step: Frames of 20 ms that are averaged into one.
        noise: Standard deviation of what training adds to each standardised state.
        mixup: Parameter of the beta distribution that two clips' shares are drawn from; 0 mixes none.
        weight_decay: Of matrices.
        warmup_epochs: Epochs of linear rise to `lr`.
        recipe: As `MixedStatesBranch`.
    """

    def __init__(
        self,
        tasks: Tasks,
        whisper: str | None = None,
        margin_s: float | None = 0.5,
        trim_db: float | None = 30.0,
        views: int = 4,
        layers: list[int] | None = None,
        step: int = 2,
        noise: float = 0.3,
        mixup: float = 0.3,
        weight_decay: float = 0.05,
        warmup_epochs: float = 2.0,
        **recipe: Any,
    ) -> None:
        super().__init__(tasks, noise=noise, weight_decay=weight_decay, warmup_epochs=warmup_epochs, **recipe)
        check_at_least(1, views=views)
        check_at_least(0, mixup=mixup)
        WhisperStateFrames(whisper, margin_s, trim_db, layers, step)  # checks the others
        self.mixup = mixup

    @classmethod
    def features_of(cls, init_args: Mapping[str, Any]) -> list[Feature]:
        """The states, a feature for each view."""
        given = cls.with_defaults(init_args)
        options = {name: given[name] for name in ("margin_s", "trim_db", "layers", "step")}
        return [WhisperStateFrames(given["whisper"], **options, view=view) for view in range(given["views"])]

    def learn_from_training(self, training: TrainingData) -> None:
        """Learn class weights, and number, width, mean and deviation of the layers' states."""
        super().learn_from_training(training)
        self.mix.learn(cast("Sequence[NDArray[np.float16]]", training.features[self.feature_keys[0]]))

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        """States and mask of each view, (batch, frames, layers, states + 1)."""
        keys = enumerate(self.feature_keys)
        return {f"view_{number}": cast(Tensor, batch.features[key]) for number, key in keys}

    def net(self, **views: Tensor) -> Logits:
        """Logits of each task, (batch, classes): the mean of the views' log-probabilities."""
        judged = [self.classify(self._pool(view)) for view in views.values()]
        return {
            task: torch.stack([logits[task].log_softmax(dim=1) for logits in judged]).mean(dim=0)
            for task in self.tasks
        }

    def encode(self, **views: Tensor) -> Tensor:
        """(batch, embed_size): what is pooled over the frames, averaged over the views."""
        return torch.stack([self._pool(view) for view in views.values()]).mean(dim=0)

    def training_loss(self, batch: Batch) -> Tensor:
        """Loss of a batch of drawn views, each mixed with another clip's if `mixup` is above 0."""
        views = list(self.inputs(batch).values())
        longest = max(view.shape[1] for view in views)
        padded = torch.stack([pad(view, (0, 0, 0, 0, 0, longest - view.shape[1])) for view in views])
        drawn = torch.randint(len(views), (padded.shape[1],), device=padded.device)
        taken = padded[drawn, torch.arange(len(drawn), device=padded.device)]
        if not self.mixup:
            return self.loss(self.classify(self._pool(taken)), batch.labels)
        share, order = self.draw_mixture(self.mixup, taken)
        mixed = share * taken + (1 - share) * taken[order]
        mixed[..., -1] = torch.maximum(taken[..., -1], taken[order][..., -1])
        return self.mixed_loss(self.classify(self._pool(mixed)), batch.labels, share, order)

    def _pool(self, view: Tensor) -> Tensor:
        """(batch, embed_size) from states and mask, (batch, frames, layers, states + 1)."""
        own = view[:, :, 0, -1:]  # (batch, frames, 1)
        lengths = own.sum(dim=(1, 2)).long().clamp(min=1)
        return self.pool_states(view[..., :-1], own, lengths)
