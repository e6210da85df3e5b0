"""From a sequence of frames to one vector a clip, whatever padding follows the clip."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """(batch, frames) bool: which frames are a clip's own, given (batch,) lengths in frames."""
    return torch.arange(frames, device=lengths.device) < lengths[:, None]


class AttentiveStatistics(nn.Module):
    """Mean and standard deviation over frames, weighted by attention for each channel.

    From Okabe et al. 2018, "Attentive statistics pooling for deep speaker embedding", with a weight for each
    channel and frame as in ECAPA-TDNN (Desplanques et al. 2020).

    Args:
        channels: Channels of the states.
        hidden: Width of the attention's hidden layer.
    """

    def __init__(self, channels: int, hidden: int = 64) -> None:
        super().__init__()
        self.attention = nn.Sequential(
            nn.Conv1d(channels, hidden, 1), nn.Tanh(), nn.Conv1d(hidden, channels, 1)
        )
        self.outputs = 2 * channels

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Pool the frames of each clip.

        Args:
            states: (batch, channels, frames), finite in the padding too.
            lengths: (batch,) frames that are the clip's own, at least 1.

        Returns:
            (batch, 2 * channels): means, then standard deviations.
        """
        own = frame_mask(lengths, states.shape[2])[:, None]  # (batch, 1, frames)
        weights = (
            self.attention(states).masked_fill(~own, -torch.inf).softmax(dim=2)
        )  # (batch, channels, frames)
        mean = (weights * states).sum(dim=2)  # (batch, channels)
        variance = (weights * (states - mean[:, :, None]).square()).sum(dim=2)
        # The root's slope is infinite at 0, where a clip of one frame lies.
        return torch.cat([mean, variance.clamp(min=1e-5).sqrt()], dim=1)
