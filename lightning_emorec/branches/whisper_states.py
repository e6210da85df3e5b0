"""Branches over cached states of a frozen Whisper encoder: a regression, and a trained head."""

from __future__ import annotations

import logging
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
from lightning_emorec.branches.strength import choose_c
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Feature, WhisperStateFrames, WhisperStateStatistics
from lightning_emorec.features.whisper_states import check_layers, chosen_layers
from lightning_emorec.speaker_scores import SpeakerScores
from lightning_emorec.training_data import LabelledClips, TrainingData
from lightning_emorec.types import Batch, Logits, Tasks

log = logging.getLogger(__name__)

Solution = tuple[tuple[NDArray[np.float64], NDArray[np.float64]], float]
"""(classes, size) weights and (classes,) biases; the inverse strength that they were solved with."""


class WhisperStatistics(PerTaskBranch):
    """Statistics over time of Whisper's states, standardised, into a multinomial logistic regression.

    Each task is solved by itself, on every view of every training clip. A clip is judged by all its views: their
    log-probabilities are averaged. Of each layer there are mean, deviation and quantiles.

    Args:
        tasks: Task name -> class names.
        whisper: Name or path of the Whisper model, or of several, whose numbers are put side by side; null means
            `$EMOREC_WHISPER`, else tiny.en.
        margin_s: Silence after a clip's end in Whisper's context; null fills 30 s: nine times slower.
        views: 1 takes each clip as it is; more, also slower, faster and in noise.
        trim_db: States of silence before and after the speech, this far below the loudest frame, do not count;
            null counts all.
        layers: Layers of the encoder, counted from 1; null takes all.
        c: Inverse regularisation strength; null chooses it for each task, by leaving training actors out in turn.
        convolutions: Also take the states below the first layer.
        quantiles: Take three quantiles of each state over the frames, 10, 50 and 90 %, beside mean and deviation.
        adapt: `speaker` solves once more on rows from which the mean of their speaker is taken away, so that the branch
            can be adapted to a speaker by unlabelled clips; what it gives without such clips is the same.
    """

    def __init__(
        self,
        tasks: Tasks,
        whisper: list[str] | str | None = None,
        margin_s: float | None = 0.5,
        views: int = 4,
        trim_db: float | None = 30.0,
        layers: list[int] | None = None,
        c: float | None = None,
        convolutions: bool = False,
        quantiles: bool = True,
        adapt: Adapt = "none",
    ) -> None:
        super().__init__(tasks)
        if c is not None:
            check_above_zero(c=c)
        check_layers(layers)
        if whisper == []:
            raise EmorecError("at least one Whisper model", "an empty list", "set model.init_args.whisper")
        self.features_of(self.hparams)  # checks the others
        self.layers = layers
        self.c = c
        self.solved_c: dict[str, float] = {}
        self.convolutions = convolutions
        self.quantiles = quantiles
        self.readout = LinearReadout(tasks)
        self.adapted = SpeakerReadout(tasks) if adapt == "speaker" else None
        self.register_load_state_dict_pre_hook(_complete)  # type: ignore[no-untyped-call]

    @classmethod
    def features_of(cls, init_args: Mapping[str, Any]) -> list[Feature]:
        """The statistics, a feature for each model."""
        given = cls.with_defaults(init_args)
        models = given["whisper"] if isinstance(given["whisper"], list) else [given["whisper"]]
        options = [given[name] for name in ("margin_s", "trim_db", "views")]
        return [WhisperStateStatistics(model, *options) for model in models]

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        """The numbers of each view, (batch, views, size)."""
        return {"rows": self.rows_of([cast(Tensor, batch.features[key]) for key in self.feature_keys])}

    def rows_of(self, statistics: Sequence[Tensor]) -> Tensor:
        """The numbers that are asked for, side by side.

        Args:
            statistics: Of each model, (batch, views, 1 + layers, 5, width).

        Returns:
            (batch, views, size).

        Raises:
            EmorecError: A model has fewer layers than are asked for.
        """
        rows = []
        for made in statistics:
            taken = chosen_layers(made[:, :, 1:], self.layers, dim=2)
            taken = torch.cat([made[:, :, :1], taken], dim=2) if self.convolutions else taken
            rows.append((taken if self.quantiles else taken[:, :, :, :2]).flatten(2))
        return torch.cat(rows, dim=2)

    def net(self, rows: Tensor) -> Logits:
        """Logits of each task, (batch, classes): the mean of the views' log-probabilities."""
        views = self.readout(rows)
        return {task: rows.log_softmax(dim=2).mean(dim=1) for task, rows in views.items()}

    def learn_rows(self, training: TrainingData) -> NDArray[np.float64]:
        """(clips, views, size), standardised."""
        rows = self.rows_of([training.collated(feature) for feature in self.features])
        return self.readout.learn_scale(rows.flatten(0, 1).numpy()).reshape(rows.shape)

    def solve_task(self, rows: NDArray[np.float64], labelled: LabelledClips) -> Solution:
        """A regression on all views; `c` is divided among the views of a clip."""
        known, views = rows[labelled.places], rows.shape[1]
        c = self.c
        if c is None:  # on clips as they are: all views choose the same, and take ten times as long
            c = choose_c(known[:, 0], labelled.labels, labelled.actors.tolist())
        solution = calibrate(
            known.reshape(-1, rows.shape[2]), np.repeat(labelled.labels, views), c / views, labelled.classes
        )
        return solution, c

    def take(self, rows: NDArray[np.float64], solved: dict[str, Solution]) -> None:
        """Keep weights, biases and strengths."""
        self.readout.learn({task: linear for task, (linear, _) in solved.items()})
        self.solved_c = {task: c for task, (_, c) in solved.items()}
        if self.c is None:
            chosen = ", ".join(f"{task} {c:g}" for task, c in self.solved_c.items())
            log.info("WhisperStatistics: c chosen by leaving training actors out: %s", chosen)

    def learn_speakers(self, rows: NDArray[np.float64], training: TrainingData) -> None:
        """Solve on adapted rows."""
        if self.adapted is not None:
            self.adapted.learn(rows, training, self.readout, lambda *of: self.solve_task(*of)[0])

    def speaker_scores(self, batch: Batch, logits: Logits) -> dict[str, SpeakerScores]:
        """Scores of every view by both solutions."""
        if self.adapted is None:
            return {}
        standard = self.readout.standardiser(self.inputs(batch)["rows"])
        return self.adapted.scores(standard, self.readout, logits)

    def get_extra_state(self) -> dict[str, Any]:
        """Which numbers are taken, and the inverse strength of each task, in plain types."""
        return {"convolutions": self.convolutions, "quantiles": self.quantiles, "c": self.solved_c}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take the numbers that a checkpoint's weights are for."""
        self.convolutions, self.quantiles, self.solved_c = (
            state[name] for name in ("convolutions", "quantiles", "c")
        )


def _complete(_branch: object, state: dict[str, Any], prefix: str, *_others: object) -> None:
    """Add what checkpoints of earlier versions lack: they have neither convolutions nor quantiles."""
    state.setdefault(f"{prefix}_extra_state", {"convolutions": False, "quantiles": False, "c": {}})


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
