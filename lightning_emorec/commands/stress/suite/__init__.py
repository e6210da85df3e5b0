"""`stress --suite`: tests with thresholds, after audEERING's ser-tests (MIT); see docs/stress.md."""

from lightning_emorec.commands.stress.suite.run import run_suite

__all__ = ["run_suite"]
