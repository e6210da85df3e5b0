"""Evaluation of a finished run on degraded audio, and with a modality missing."""

from lightning_emorec.commands.stress.degradations import CONDITIONS, MISSING
from lightning_emorec.commands.stress.run import stress

__all__ = ["CONDITIONS", "MISSING", "stress"]
