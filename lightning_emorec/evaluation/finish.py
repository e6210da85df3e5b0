"""What happens when a run came to its end: files, report, table."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from lightning.pytorch.loggers import Logger

from lightning_emorec.evaluation.evaluate import judge
from lightning_emorec.evaluation.publish import publish
from lightning_emorec.evaluation.report import write_report
from lightning_emorec.evaluation.results import RunResults
from lightning_emorec.evaluation.table import print_results
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
    """Write everything into the run folder, say that it is done, and print the table.

    A refit that is not tested has nobody to be judged by: no report, no table.

    Args:
        results: What the run found.
        folder: The run folder.
        branch_folders: Branch name -> its run folder, for the learning curves.
        loggers: The run's; one on W&B is sent the results, and ended, so that the table stays the last thing said.
        done: Whether this ends the run.
    """
    judgement = judge(results) if results.is_judged else None
    write_files(results, judgement, folder)
    for part, logits in results.output.items():
        logits.save(folder / "logits" / f"{part}.pt")
    if results.refitted:
        for name, parts in results.branches.items():
            parts["val"].save(solved_on_file(folder, name))
    if judgement is None:
        log.info("%s: trained on all that may be heard, and not tested", folder)
        mark_done(folder)
        return
    courses = {name: path / "metrics.csv" for name, path in {results.name: folder, **branch_folders}.items()}
    curves = {name: path for name, path in courses.items() if path.is_file()}
    report = write_report(results, judgement, folder, curves)
    if done:
        mark_done(folder)
    for logger in loggers:
        if isinstance(logger, WandbRun):
            publish(results, folder, curves, logger)
    print_results(results, judgement, report)
