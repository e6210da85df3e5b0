"""The made-up results of the evaluation's tests, for the commands that read what runs left."""

from tests.unit.evaluation.conftest import fused, results, untested

__all__ = ["fused", "results", "untested"]
