"""The end of a run: files, report, table."""

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
    """Write everything into the run folder, mark it as done, and print the table.

    A refit that is not tested has no clips to be judged by: no report, no table.

    Args:
        results: What the run found.
        folder: The run folder.
        branch_folders: Branch name -> its run folder, for the learning curves.
        loggers: The run's; one on W&B is sent the results, and ended, so that the table is the last output.
        done: Whether this ends the run.
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
