"""Whisper's encoder with learned weights over its layers and attentive pooling over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import gelu

from lightning_emorec.branches.gradient import GradientBranch
from lightning_emorec.branches.layer_mix import LayerMix
from lightning_emorec.branches.pooling import AttentiveStatistics
from lightning_emorec.features import Feature, Value, WhisperStateFrames
from lightning_emorec.types import Batch, EmorecError, Logits, Tasks


class WhisperEncoder(GradientBranch):
    """States of a frozen Whisper, mixed over layers, projected, pooled by attention, and a linear head a task.

    The states are features, computed once and kept in 16 bits, so an epoch costs next to nothing.

    Args:
        tasks: Task name -> class names.
        whisper: Name or path of the Whisper model; null means `$EMOREC_WHISPER`, else tiny.en.
        margin_s: Silence that Whisper hears after a clip's end; null fills 30 s: nine times slower.
        layers: Layers of the encoder, counted from 1; null takes all.
        step: Frames of 20 ms that are averaged into one.
        width: What the states are projected to.
        noise: Standard deviation of what training adds to each standardised state.
        dropout: Of the mixed states and before the heads.
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
        layers: list[int] | None = None,
        step: int = 2,
        width: int = 128,
        noise: float = 0.3,
        dropout: float = 0.3,
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
        self.feature = WhisperStateFrames(whisper, margin_s, layers, step)
        self.noise = noise
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
        """The states that these arguments ask for."""
        given = {"whisper": None, "margin_s": 0.5, "layers": None, "step": 2, **init_args}
        return [WhisperStateFrames(given["whisper"], given["margin_s"], given["layers"], given["step"])]

    @cached_property
    def feature_key(self) -> str:
        """Key of the states in `Batch.features`; kept, since it costs a look at the disk."""
        return self.feature.key

    def learn_from_training(self, features: Mapping[str, Sequence[Value]]) -> None:
        """Learn how many layers there are, how wide they are, and their mean and deviation over all frames."""
        self.mix.learn(cast("Sequence[NDArray[np.float16]]", features[self.feature_key]))

    def forward(self, batch: Batch) -> Logits:
        """Logits of each task, (batch, classes)."""
        pooled = self.dropout(self.embed(batch))
        return {task: head(pooled) for task, head in self.heads.items()}

    def embed(self, batch: Batch) -> Tensor:
        """(batch, embed_size): what is pooled over the frames."""
        padded = cast(Tensor, batch.features[self.feature_key])  # (batch, frames, layers, states + 1)
        own = padded[:, :, 0, -1:]  # (batch, frames, 1)
        lengths = own.sum(dim=(1, 2)).long().clamp(min=1)
        mixed = self.mix(padded[..., :-1], self.noise if self.training else 0.0)
        states = self.dropout(gelu(mixed)) * own  # (batch, frames, width)
        pooled: Tensor = self.norm(self.pooling(states.transpose(1, 2), lengths))  # (batch, 2 * width)
        return pooled
