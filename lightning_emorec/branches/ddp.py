"""What the ranks of a distributed run must agree on while a branch is trained; one process alone does nothing."""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn


def sum_over_ranks(values: Tensor) -> Tensor:
    """The sum of every rank's values, in place, the same on all of them; no gradient passes."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(values)
    return values


@torch.no_grad()
def take_buffers_of_first(module: nn.Module) -> None:
    """Give every rank the buffers of the first, such as running statistics, which each gathers from its own clips.

    DDP does so before each training step. After the last one before a validation they differ, and a clip's
    logits would depend on which rank judges it.
    """
    if distributed.is_available() and distributed.is_initialized():
        for buffer in module.buffers():
            distributed.broadcast(buffer, src=0)
