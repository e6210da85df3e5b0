"""Cross-validation: a `fit` for each fold and seed, and fusion on out-of-fold logits."""

from lightning_emorec.commands.crossval.gather import gather
from lightning_emorec.commands.crossval.results import CrossvalResults

__all__ = ["CrossvalResults", "gather"]
