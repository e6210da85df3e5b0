"""A finished run under conditions worse than those it was trained in."""

from lightning_emorec.evaluation.stress.conditions import CONDITIONS, MISSING
from lightning_emorec.evaluation.stress.run import stress

__all__ = ["CONDITIONS", "MISSING", "stress"]
