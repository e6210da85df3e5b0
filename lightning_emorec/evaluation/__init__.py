"""Evaluation of a run: scores, intervals, result files, tables and reports."""

from lightning_emorec.evaluation.finish import finish
from lightning_emorec.evaluation.from_run import gather_results
from lightning_emorec.evaluation.results import BeforeRefit, RunResults
from lightning_emorec.evaluation.run_splits import loop_over_parts
from lightning_emorec.evaluation.table import split_table

__all__ = ["BeforeRefit", "RunResults", "finish", "gather_results", "loop_over_parts", "split_table"]
