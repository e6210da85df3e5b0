"""A branch as a newcomer would write it: how loud a clip is, over time."""

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import pad

from lightning_emorec.branches import GradientBranch
from lightning_emorec.branches.checks import check_above_zero
from lightning_emorec.branches.pooling import AttentiveStatistics, frame_mask
from lightning_emorec.types import Batch, Tasks


class Envelope(GradientBranch):
    """The level of each frame into a convolution, attentive statistics, and a linear head a task.

    Args:
        tasks: Task name -> class names.
        rate_hz: Sampling rate of the audio; as `data.rate_hz`.
        hop_s: Length of a frame.
        width: Channels.
        lr: Peak learning rate.
        recipe: As `GradientBranch`.
    """

    audio_input = "augmented"

    def __init__(
        self,
        tasks: Tasks,
        rate_hz: int = 16000,
        hop_s: float = 0.01,
        width: int = 16,
        lr: float = 3e-3,
        **recipe: Any,
    ) -> None:
        super().__init__(tasks, lr=lr, **recipe)
        check_above_zero(rate_hz=rate_hz, hop_s=hop_s, width=width)
        self.hop = round(hop_s * rate_hz)
        self.convolution = nn.Sequential(nn.Conv1d(1, width, 9, padding=4), nn.GELU())
        self.pooling = AttentiveStatistics(width)
        self.add_heads(self.pooling.outputs, dropout=0.1)

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        """The audio."""
        return {"audio": batch.audio, "lengths": batch.lengths}

    def encode(self, audio: Tensor, lengths: Tensor) -> Tensor:
        """(batch, embed_size) from (batch, time) and (batch,) samples."""
        frames = pad(audio, (0, -audio.shape[1] % self.hop)).unflatten(1, (-1, self.hop))
        lengths = -(-lengths // self.hop)  # (batch,) frames
        own = frame_mask(lengths, frames.shape[1])
        level = (frames.square().mean(dim=2) + 1e-6).log() * own  # (batch, frames)
        pooled: Tensor = self.pooling(self.convolution(level[:, None]), lengths)
        return pooled
