"""A finished run under conditions worse than those it was trained in."""

from lightning_emorec.commands.stress.degradations import CONDITIONS, MISSING
from lightning_emorec.commands.stress.run import stress

__all__ = ["CONDITIONS", "MISSING", "stress"]
