"""What the branches over openSMILE's low-level descriptors share: everything but the encoder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_emorec.branches.gradient import GradientBranch
from lightning_emorec.branches.pooling import AttentiveStatistics
from lightning_emorec.branches.standardiser import Standardiser
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Feature, OpenSmileDescriptors, Value
from lightning_emorec.features.opensmile import DESCRIPTORS
from lightning_emorec.types import Batch, Logits, Tasks


class DescriptorsBranch(GradientBranch):
    """Standardised descriptors, an encoder over time, attentive statistics, and a linear head a task.

    Encoders can be compared, since all else is the same.

    Args:
        tasks: Task name -> class names.
        channels: Width of what the encoder gives.
        dropout: Before the heads.
        noise: Standard deviation of what training adds to each standardised descriptor.
        max_frames: Longer clips are cut; a frame is 10 ms.
        step: Read every n-th frame only; openSMILE smooths over three.
        loss_weights: As `GradientBranch`, and all that follow.
        label_smoothing: As `GradientBranch`.
        class_weights: As `GradientBranch`.
        lr: As `GradientBranch`.
        weight_decay: As `GradientBranch`.
        warmup_epochs: As `GradientBranch`.

    Raises:
        EmorecError: An argument out of range.
    """

    def __init__(
        self,
        tasks: Tasks,
        channels: int,
        dropout: float,
        noise: float,
        max_frames: int,
        step: int,
        loss_weights: dict[str, float] | None,
        label_smoothing: float,
        class_weights: bool,
        lr: float,
        weight_decay: float,
        warmup_epochs: float,
    ) -> None:
        super().__init__(tasks, loss_weights, label_smoothing, class_weights, lr, weight_decay, warmup_epochs)
        if not 0 <= dropout < 1:
            raise EmorecError("dropout in [0, 1)", f"{dropout}", "mend model.init_args.dropout")
        if noise < 0:
            raise EmorecError("noise of 0 or more", f"{noise}", "mend model.init_args.noise")
        for knob, count in {"max_frames": max_frames, "step": step}.items():
            if count < 1:
                raise EmorecError(f"{knob} of at least 1", f"{count}", f"mend model.init_args.{knob}")
        self.noise = noise
        self.max_frames = max_frames
        self.step = step
        self.standardiser = Standardiser(DESCRIPTORS)
        self.pooling = AttentiveStatistics(channels)
        self.embed_size = self.pooling.outputs
        self.norm = nn.LayerNorm(self.embed_size)
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict(
            {task: nn.Linear(self.embed_size, len(classes)) for task, classes in tasks.items()}
        )

    @classmethod
    def features_of(cls, init_args: Mapping[str, Any]) -> list[Feature]:  # noqa: ARG003
        """The descriptors."""
        return [OpenSmileDescriptors()]

    @cached_property
    def feature_key(self) -> str:
        """Key of the descriptors in `Batch.features`."""
        return self.features[0].key

    def learn_from_training(self, features: Mapping[str, Sequence[Value]]) -> None:
        """Learn each descriptor's mean and deviation over all frames."""
        self.standardiser.learn_from(cast("Sequence[NDArray[np.float32]]", features[self.feature_key]))

    @abstractmethod
    def encode(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """States of each frame, whatever padding follows the clip.

        Args:
            frames: (batch, frames, 25) standardised, 0 in the padding.
            lengths: (batch,) frames that are the clip's own, at least 1.

        Returns:
            (batch, channels, frames), finite in the padding too.
        """

    def forward(self, batch: Batch) -> Logits:
        """Logits of each task, (batch, classes), from the descriptors alone."""
        pooled = self.dropout(self.embed(batch))
        return {task: head(pooled) for task, head in self.heads.items()}

    def embed(self, batch: Batch) -> Tensor:
        """(batch, embed_size): what is pooled over the frames."""
        whole = cast(Tensor, batch.features[self.feature_key])  # (batch, frames, 26)
        padded = whole[:, : self.max_frames : self.step]
        own = padded[..., DESCRIPTORS:]  # (batch, frames, 1)
        lengths = own.sum(dim=(1, 2)).long().clamp(min=1)
        frames = self.standardiser(padded[..., :DESCRIPTORS])
        if self.training and self.noise:
            frames = frames + self.noise * torch.randn_like(frames)
        states = self.encode(frames * own, lengths)  # (batch, channels, frames)
        pooled: Tensor = self.norm(self.pooling(states, lengths))  # (batch, 2 * channels)
        return pooled
