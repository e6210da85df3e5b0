"""The last step of a run: result files, report and table."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from lightning.pytorch.loggers import Logger

from lightning_emorec.evaluation.evaluate import evaluate_results
from lightning_emorec.evaluation.publish import publish
from lightning_emorec.evaluation.report import write_report
from lightning_emorec.evaluation.results import RunResults
from lightning_emorec.evaluation.table import print_run
from lightning_emorec.evaluation.writers import write_files
from lightning_emorec.loggers.wandb_run import WandbRun
from lightning_emorec.run_paths import solved_on_file
from lightning_emorec.runs.folder import mark_done

log = logging.getLogger(__name__)


def finish(
    results: RunResults,
    folder: Path,
    branch_folders: dict[str, Path],
    loggers: Iterable[Logger] = (),
    done: bool = True,
) -> None:
    """Write the results into the run folder, mark it as done, and print the table.

    A refit that is not tested has no clips to evaluate, and so neither report nor table.

    Args:
        results: Results of the run.
        folder: The run folder.
        branch_folders: Branch name -> its run folder, for the learning curves.
        loggers: The run's; a W&B run receives the results and is finished, so that the table is the last output.
        done: False if a refit follows, which ends the run.
    """
    evaluation = evaluate_results(results) if results.is_judged else None
    content = write_files(results, evaluation, folder)
    for part, logits in results.output.items():
        logits.save(folder / "logits" / f"{part}.pt")
    if results.refitted:
        for branch in results.branches:
            results.fold.logits[branch]["val"].save(solved_on_file(folder, branch.name))
    if evaluation is None:
        log.info("%s: trained on all training and validation clips, and not tested", folder)
        mark_done(folder)
        return
    courses = {name: path / "metrics.csv" for name, path in {results.name: folder, **branch_folders}.items()}
    curves = {name: path for name, path in courses.items() if path.is_file()}
    report = write_report(results, evaluation, folder, curves)
    if done:
        mark_done(folder)
    for logger in loggers:
        if isinstance(logger, WandbRun):
            publish(results, content, folder, curves, logger)
    print_run(results, evaluation, report)
