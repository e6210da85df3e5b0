"""`python -m lightning_emorec check`."""

from lightning_emorec.commands.check.verb import check

__all__ = ["check"]
