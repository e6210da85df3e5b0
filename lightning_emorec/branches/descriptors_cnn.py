"""A convolutional network over openSMILE's low-level descriptors."""

from __future__ import annotations

from torch import Tensor, nn

from lightning_emorec.branches.descriptors import DescriptorsBranch
from lightning_emorec.branches.pooling import frame_mask
from lightning_emorec.errors import EmorecError
from lightning_emorec.features.opensmile import DESCRIPTORS
from lightning_emorec.types import Tasks


class DescriptorsCnn(DescriptorsBranch):
    """eGeMAPS descriptors over time into 1-D convolutions, attentive statistics, and a linear head a task.

    Args:
        tasks: Task name -> class names.
        width: Channels.
        blocks: Residual blocks; each looks twice as far as the one before.
        kernel: Frames that a convolution sees; odd.
        dropout: In each block and before the heads.
        noise: Standard deviation of what training adds to each standardised descriptor.
        max_frames: Longer clips are cut; a frame is 10 ms.
        step: Read every n-th frame only; openSMILE smooths over three.
        loss_weights: Task name -> factor of its loss; a task that is not named weighs 1.
        label_smoothing: Share of the target that is spread over all classes.
        class_weights: Weigh each class by the inverse of its share of the training clips.
        lr: Peak learning rate.
        weight_decay: Of matrices and kernels.
        warmup_epochs: Epochs of linear rise to `lr`.

    Raises:
        EmorecError: An argument out of range.
    """

    def __init__(
        self,
        tasks: Tasks,
        width: int = 64,
        blocks: int = 4,
        kernel: int = 5,
        dropout: float = 0.3,
        noise: float = 0.3,
        max_frames: int = 1500,
        step: int = 4,
        loss_weights: dict[str, float] | None = None,
        label_smoothing: float = 0.1,
        class_weights: bool = False,
        lr: float = 1e-3,
        weight_decay: float = 0.02,
        warmup_epochs: float = 2.0,
    ) -> None:
        for knob, count in {"width": width, "blocks": blocks, "kernel": kernel}.items():
            if count < 1:
                raise EmorecError(f"{knob} of at least 1", f"{count}", f"mend model.init_args.{knob}")
        if kernel % 2 == 0:
            raise EmorecError("an odd kernel", f"{kernel}", "mend model.init_args.kernel")
        super().__init__(
            tasks,
            width,
            dropout,
            noise,
            max_frames,
            step,
            loss_weights,
            label_smoothing,
            class_weights,
            lr,
            weight_decay,
            warmup_epochs,
        )
        self.entry = nn.Conv1d(DESCRIPTORS, width, 1)
        self.blocks = nn.ModuleList(_Block(width, kernel, 2**block, dropout) for block in range(blocks))

    def encode(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """(batch, frames, 25) -> (batch, width, frames)."""
        own = frame_mask(lengths, frames.shape[1])[:, None]  # (batch, 1, frames)
        states: Tensor = self.entry(frames.transpose(1, 2)) * own
        for block in self.blocks:
            states = block(states) * own  # a convolution must not see what lies in the padding
        return states


class _Block(nn.Module):
    """Norm, dilated convolution, GELU and dropout, added to what came in."""

    def __init__(self, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)  # of each frame by itself: right for one clip, and blind to padding
        self.conv = nn.Conv1d(width, width, kernel, padding="same", dilation=dilation)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        normed = self.norm(states.transpose(1, 2)).transpose(1, 2)
        changed: Tensor = self.dropout(nn.functional.gelu(self.conv(normed)))
        return states + changed
