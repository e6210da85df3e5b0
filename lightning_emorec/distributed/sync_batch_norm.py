"""Batch normalisation over the clips of all ranks, on every device."""

from __future__ import annotations

import torch
from lightning.pytorch.plugins.layer_sync import TorchSyncBatchNorm
from torch import Tensor, distributed
from torch.distributed.nn.functional import all_reduce
from torch.nn import Module
from torch.nn.modules.batchnorm import _BatchNorm


class SyncBatchNormPlugin(TorchSyncBatchNorm):
    """Implements `trainer.sync_batchnorm`: PyTorch's layer on GPUs, and `CpuSyncBatchNorm` on CPUs."""

    def apply(self, model: Module) -> Module:
        """Replace every batch norm of a model by a synchronised one."""
        if next(model.parameters()).device.type != "cpu":
            return super().apply(model)
        for module in model.modules():
            if isinstance(module, _BatchNorm):
                module.__class__ = CpuSyncBatchNorm  # the same state, another forward
        return model


class CpuSyncBatchNorm(_BatchNorm):
    """Batch normalisation with mean and variance over the clips of all ranks, differentiable."""

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, ...) -> the same shape."""
        if not self.training or not distributed.is_initialized():
            return super().forward(inputs)
        dims = [0, *range(2, inputs.dim())]
        shape = [1, -1, *[1] * (inputs.dim() - 2)]
        ones = inputs.new_full((1,), inputs.numel() / inputs.shape[1])
        sums = all_reduce(torch.cat([inputs.sum(dims), ones]))  # type: ignore[no-untyped-call]
        count = sums[-1].detach()
        mean = sums[:-1] / count  # (channels,)
        deviations = inputs - mean.view(shape)
        variance = all_reduce(deviations.square().sum(dims)) / count  # type: ignore[no-untyped-call]
        self._update_running_statistics(mean.detach(), (variance * count / (count - 1).clamp(min=1)).detach())
        normalised = deviations * (variance + self.eps).rsqrt().view(shape)
        scaled: Tensor = normalised * self.weight.view(shape) + self.bias.view(shape)
        return scaled

    @torch.no_grad()
    def _update_running_statistics(self, mean: Tensor, variance: Tensor) -> None:
        if (
            self.running_mean is not None
            and self.running_var is not None
            and self.num_batches_tracked is not None
        ):
            self.num_batches_tracked.add_(1)
            share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean, share)
            self.running_var.lerp_(variance, share)

    def _check_input_dim(self, input: Tensor) -> None:
        """Accept any number of dimensions: this class replaces 1-, 2- and 3-dimensional batch norms."""
