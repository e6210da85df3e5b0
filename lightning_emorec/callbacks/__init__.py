"""What is called while a model is trained."""

from lightning_emorec.callbacks.averaging import AveragedWeights

__all__ = ["AveragedWeights"]
