"""Whisper's encoder with learned weights over its layers and attentive pooling over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import gelu, pad

from lightning_emorec.branches.gradient import GradientBranch
from lightning_emorec.branches.layer_mix import LayerMix
from lightning_emorec.branches.pooling import AttentiveStatistics
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Feature, Value, WhisperStateFrames
from lightning_emorec.types import Batch, Logits, Tasks


class WhisperEncoder(GradientBranch):
    """States of a frozen Whisper, mixed over layers, projected, pooled by attention, and a linear head a task.

    The states are features, computed once and kept in 16 bits, so an epoch costs next to nothing. In training a clip
    is heard as one of its views, drawn anew each time; it is judged by all of them: their log-probabilities are
    averaged.

    Args:
        tasks: Task name -> class names.
        whisper: Name or path of the Whisper model; null means `$EMOREC_WHISPER`, else tiny.en.
        margin_s: Silence that Whisper hears after a clip's end; null fills 30 s: nine times slower.
        trim_db: States of silence before and after the speech, this far below the loudest frame, do not count;
            null counts all.
        views: 1 hears each clip as it is; more, also slower, faster and in noise.
        layers: Layers of the encoder, counted from 1; null takes all.
        step: Frames of 20 ms that are averaged into one.
        width: What the states are projected to.
        noise: Standard deviation of what training adds to each standardised state.
        dropout: Of the mixed states and before the heads.
        mixup: Parameter of the beta distribution that two clips' shares are drawn from; 0 mixes none.
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
        whisper: str | None = None,
        margin_s: float | None = 0.5,
        trim_db: float | None = 30.0,
        views: int = 4,
        layers: list[int] | None = None,
        step: int = 2,
        width: int = 128,
        noise: float = 0.3,
        dropout: float = 0.3,
        mixup: float = 0.3,
        loss_weights: dict[str, float] | None = None,
        label_smoothing: float = 0.1,
        class_weights: bool = False,
        lr: float = 1e-3,
        weight_decay: float = 0.05,
        warmup_epochs: float = 2.0,
    ) -> None:
        super().__init__(tasks, loss_weights, label_smoothing, class_weights, lr, weight_decay, warmup_epochs)
        if width < 1:
            raise EmorecError("width of at least 1", f"{width}", "mend model.init_args.width")
        if not 0 <= dropout < 1:
            raise EmorecError("dropout in [0, 1)", f"{dropout}", "mend model.init_args.dropout")
        if noise < 0:
            raise EmorecError("noise of 0 or more", f"{noise}", "mend model.init_args.noise")
        if views < 1:
            raise EmorecError("views of at least 1", f"{views}", "mend model.init_args.views")
        self.features_of(self.hparams)  # checks what else says what is heard
        if mixup < 0:
            raise EmorecError("mixup of 0 or more", f"{mixup}", "mend model.init_args.mixup")
        self.noise = noise
        self.mixup = mixup
        self.mix = LayerMix(width)
        self.pooling = AttentiveStatistics(width)
        self.embed_size = self.pooling.outputs
        self.norm = nn.LayerNorm(self.embed_size)
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict(
            {task: nn.Linear(self.embed_size, len(classes)) for task, classes in tasks.items()}
        )

    @classmethod
    def features_of(cls, init_args: Mapping[str, Any]) -> list[Feature]:
        """The states that these arguments ask for, a feature for each view."""
        given = {"whisper": None, "margin_s": 0.5, "trim_db": 30.0, "layers": None, "step": 2, **init_args}
        heard = given["whisper"], given["margin_s"], given["trim_db"]
        views = range(given.get("views", 4))
        return [WhisperStateFrames(*heard, given["layers"], given["step"], view) for view in views]

    @cached_property
    def feature_keys(self) -> list[str]:
        """Keys of the views in `Batch.features`; kept, since they cost a look at the disk."""
        return [feature.key for feature in self.features]

    def learn_from_training(self, features: Mapping[str, Sequence[Value]]) -> None:
        """Learn how many layers there are, how wide they are, and their mean and deviation over all frames."""
        self.mix.learn(cast("Sequence[NDArray[np.float16]]", features[self.feature_keys[0]]))

    def forward(self, batch: Batch) -> Logits:
        """Logits of each task, (batch, classes): the mean of the views' log-probabilities."""
        judged = [self._classify(view) for view in self._views(batch)]
        return {
            task: torch.stack([logits[task].log_softmax(dim=1) for logits in judged]).mean(dim=0)
            for task in self.tasks
        }

    def embed(self, batch: Batch) -> Tensor:
        """(batch, embed_size): what is pooled over the frames, averaged over the views."""
        return torch.stack([self._pool(view) for view in self._views(batch)]).mean(dim=0)

    def training_loss(self, batch: Batch) -> Tensor:
        """Loss of a batch of drawn views, each mixed with another clip's (Zhang et al. 2018) if `mixup` is above 0."""
        views = self._views(batch)
        longest = max(view.shape[1] for view in views)
        padded = torch.stack([pad(view, (0, 0, 0, 0, 0, longest - view.shape[1])) for view in views])
        drawn = torch.randint(len(views), (padded.shape[1],), device=padded.device)
        heard = padded[drawn, torch.arange(len(drawn), device=padded.device)]
        if not self.mixup:
            return self.loss(self._classify(heard), batch.labels)
        share = float(torch.distributions.Beta(self.mixup, self.mixup).sample())
        order = torch.randperm(len(heard), device=heard.device)
        mixed = share * heard + (1 - share) * heard[order]
        mixed[..., -1] = torch.maximum(heard[..., -1], heard[order][..., -1])
        logits = self._classify(mixed)
        others = {task: labels[order] for task, labels in batch.labels.items()}
        return share * self.loss(logits, batch.labels) + (1 - share) * self.loss(logits, others)

    def _views(self, batch: Batch) -> list[Tensor]:
        """Of each view (batch, frames, layers, states + 1)."""
        return [cast(Tensor, batch.features[key]) for key in self.feature_keys]

    def _classify(self, view: Tensor) -> Logits:
        pooled = self.dropout(self._pool(view))
        return {task: head(pooled) for task, head in self.heads.items()}

    def _pool(self, view: Tensor) -> Tensor:
        """(batch, embed_size) from states and mask, (batch, frames, layers, states + 1)."""
        own = view[:, :, 0, -1:]  # (batch, frames, 1)
        lengths = own.sum(dim=(1, 2)).long().clamp(min=1)
        mixed = self.mix(view[..., :-1], self.noise if self.training else 0.0)
        states = self.dropout(gelu(mixed)) * own  # (batch, frames, width)
        pooled: Tensor = self.norm(self.pooling(states.transpose(1, 2), lengths))  # (batch, 2 * width)
        return pooled
