"""Branches over openSMILE's low-level descriptors: a convolutional and a recurrent network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lightning_emorec.branches.checks import check_at_least, check_shares
from lightning_emorec.branches.gradient import GradientBranch
from lightning_emorec.branches.pooling import AttentiveStatistics, frame_mask
from lightning_emorec.branches.readout import Standardiser
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Feature, OpenSmileDescriptors
from lightning_emorec.features.opensmile import DESCRIPTORS
from lightning_emorec.training_data import TrainingData
from lightning_emorec.types import Batch, Tasks


class DescriptorsBranch(GradientBranch):
    """Standardised descriptors, a network over time, attentive statistics, and a linear head a task.

    Networks can be compared, since all else is the same.

    Args:
        tasks: Task name -> class names.
        noise: Standard deviation of what training adds to each standardised descriptor.
        max_frames: Longer clips are cut; a frame is 10 ms.
        step: Read every n-th frame only; openSMILE smooths over three.
        warmup_epochs: Epochs of linear rise to `lr`.
        recipe: As `GradientBranch`.
    """

    def __init__(
        self,
        tasks: Tasks,
        noise: float = 0.3,
        max_frames: int = 1500,
        step: int = 4,
        warmup_epochs: float = 2.0,
        **recipe: Any,
    ) -> None:
        super().__init__(tasks, warmup_epochs=warmup_epochs, **recipe)
        check_at_least(0, noise=noise)
        check_at_least(1, max_frames=max_frames, step=step)
        self.noise = noise
        self.max_frames = max_frames
        self.step = step
        self.standardiser = Standardiser(DESCRIPTORS)

    def add_pooling(self, channels: int, dropout: float) -> None:
        """Make what follows the network over time, which gives so many channels."""
        check_shares(dropout=dropout)
        self.pooling = AttentiveStatistics(channels)
        self.norm = nn.LayerNorm(self.pooling.outputs)
        self.add_heads(self.pooling.outputs, dropout)

    @classmethod
    def features_of(cls, init_args: Mapping[str, Any]) -> list[Feature]:  # noqa: ARG003
        """The descriptors."""
        return [OpenSmileDescriptors()]

    def learn_from_training(self, training: TrainingData) -> None:
        """Learn class weights, and each descriptor's mean and deviation over all frames."""
        super().learn_from_training(training)
        values = cast("Sequence[NDArray[np.float32]]", training.features[self.feature_keys[0]])
        self.standardiser.learn_from(values)

    @abstractmethod
    def over_time(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """States of each frame, whatever padding follows the clip.

        Args:
            frames: (batch, frames, 25) standardised, 0 in the padding.
            lengths: (batch,) frames that are the clip's own, at least 1.

        Returns:
            (batch, channels, frames), finite in the padding too.
        """

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        """The descriptors of the frames that are read, and which of them are the clip's own: (batch, frames, 26)."""
        whole = cast(Tensor, batch.features[self.feature_keys[0]])
        return {"descriptors": whole[:, : self.max_frames : self.step]}

    def encode(self, descriptors: Tensor) -> Tensor:
        """(batch, embed_size): what is pooled over the frames."""
        own = descriptors[..., DESCRIPTORS:]  # (batch, frames, 1)
        lengths = own.sum(dim=(1, 2)).long().clamp(min=1)
        frames = self.standardiser(descriptors[..., :DESCRIPTORS])
        if self.training and self.noise:
            frames = frames + self.noise * torch.randn_like(frames)
        states = self.over_time(frames * own, lengths)  # (batch, channels, frames)
        pooled: Tensor = self.norm(self.pooling(states, lengths))  # (batch, 2 * channels)
        return pooled


class DescriptorsCnn(DescriptorsBranch):
    """eGeMAPS descriptors over time into 1-D convolutions, attentive statistics, and a linear head a task.

    Args:
        tasks: Task name -> class names.
        width: Channels.
        blocks: Residual blocks; each looks twice as far as the one before.
        kernel: Frames that a convolution covers; odd.
        dropout: In each block and before the heads.
        recipe: As `DescriptorsBranch`.
    """

    def __init__(
        self,
        tasks: Tasks,
        width: int = 64,
        blocks: int = 4,
        kernel: int = 5,
        dropout: float = 0.3,
        **recipe: Any,
    ) -> None:
        check_at_least(1, width=width, blocks=blocks, kernel=kernel)
        if kernel % 2 == 0:
            raise EmorecError("an odd kernel", f"{kernel}", "set model.init_args.kernel")
        super().__init__(tasks, **recipe)
        self.add_pooling(width, dropout)
        self.entry = nn.Conv1d(DESCRIPTORS, width, 1)
        self.blocks = nn.ModuleList(_Block(width, kernel, 2**block, dropout) for block in range(blocks))

    def over_time(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """(batch, frames, 25) -> (batch, width, frames)."""
        own = frame_mask(lengths, frames.shape[1])[:, None]  # (batch, 1, frames)
        states: Tensor = self.entry(frames.transpose(1, 2)) * own
        for block in self.blocks:
            states = block(states, own)
        return states


class _Block(nn.Module):
    """Norm, dilated convolution, GELU and dropout, added to what came in."""

    def __init__(self, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)  # of each frame by itself: right for one clip
        self.conv = nn.Conv1d(width, width, kernel, padding="same", dilation=dilation)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, own: Tensor) -> Tensor:
        normed = self.norm(states.transpose(1, 2)).transpose(1, 2)
        # The norm's bias is in the padding too, where the convolution must read zeros.
        changed: Tensor = self.dropout(nn.functional.gelu(self.conv(normed * own)))
        return (states + changed) * own


class DescriptorsLstm(DescriptorsBranch):
    """eGeMAPS descriptors over time into a bidirectional LSTM, attentive statistics, and a linear head a task.

    Args:
        tasks: Task name -> class names.
        hidden: Units of the LSTM, in each direction.
        layers: Layers of the LSTM.
        dropout: Between layers and before the heads.
        recipe: As `DescriptorsBranch`.
    """

    def __init__(
        self, tasks: Tasks, hidden: int = 48, layers: int = 2, dropout: float = 0.3, **recipe: Any
    ) -> None:
        check_at_least(1, hidden=hidden, layers=layers)
        super().__init__(tasks, **recipe)
        self.add_pooling(2 * hidden, dropout)
        between = dropout if layers > 1 else 0.0  # torch warns about a dropout that has no place
        self.lstm = nn.LSTM(
            DESCRIPTORS, hidden, layers, batch_first=True, dropout=between, bidirectional=True
        )

    def over_time(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """(batch, frames, 25) -> (batch, 2 * hidden, frames)."""
        packed = pack_padded_sequence(frames, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=frames.shape[1])
        return states.transpose(1, 2)
