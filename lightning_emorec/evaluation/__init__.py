"""What a run found, and how it is shown."""

from lightning_emorec.evaluation.finish import finish
from lightning_emorec.evaluation.from_run import gather_results
from lightning_emorec.evaluation.results import BeforeRefit, FusionSummary, PartResults, RunResults
from lightning_emorec.evaluation.run_splits import loop_over_parts
from lightning_emorec.evaluation.table import print_results, results_table, split_table

__all__ = [
    "BeforeRefit",
    "FusionSummary",
    "PartResults",
    "RunResults",
    "finish",
    "gather_results",
    "loop_over_parts",
    "print_results",
    "results_table",
    "split_table",
]
