"""Lightning callbacks: weight averaging and checkpoints."""

from lightning_emorec.callbacks.averaging import AveragedWeights

__all__ = ["AveragedWeights"]
