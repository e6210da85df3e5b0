"""Augmentation of training audio, drawn for each clip in each epoch."""

from lightning_emorec.augment.chain import augment, draw_seed
from lightning_emorec.augment.speed import SpeedPerturb

__all__ = ["SpeedPerturb", "augment", "draw_seed"]
