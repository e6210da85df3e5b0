"""The steps of `crossval`: plan the folds, run those that are pending, and join them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from lightning_emorec.commands.crossval.collect import collect, is_collected
from lightning_emorec.commands.crossval.folds import some_split
from lightning_emorec.commands.crossval.gather import gather
from lightning_emorec.commands.crossval.jobs import FoldJob, Options
from lightning_emorec.commands.crossval.model_spec import Config, ModelSpec
from lightning_emorec.commands.crossval.report import print_crossval, write_crossval_page
from lightning_emorec.commands.crossval.results import CrossvalResults, write_results
from lightning_emorec.commands.crossval.run import Outcome, run_folds
from lightning_emorec.commands.crossval.study import CrossvalPlan, make_plan
from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.evaluate import evaluate_results

log = logging.getLogger(__name__)


def cross_validate(
    config: Config, options: Options, jobs: int, only_fold: int | None, name: str | None, runs: Path
) -> CrossvalResults | None:
    """Run the folds that are not done, and write the results of all; for the arguments see the verb.

    Returns:
        The results; None with `only_fold`.

    Raises:
        EmorecError: Actors are absent, the folder holds a different cross-validation, or a fold failed.
    """
    plan = _plan(config, options, name, runs)
    outcome = _run(plan, _chosen_jobs(plan, only_fold), jobs)
    if outcome.failed:
        raise next(iter(outcome.failed.values()))
    if only_fold is not None:
        return None
    if outcome.elsewhere:
        found = f"{', '.join(outcome.elsewhere)} still running in another process"
        raise EmorecError("every fold to be done", found, "run the same command again when it has ended")
    results = gather(plan.folder)
    evaluation = evaluate_results(results)
    write_results(results, evaluation, plan.folder)
    print_crossval(results, evaluation, write_crossval_page(results, evaluation, plan.folder))
    return results


def _plan(config: Config, options: Options, name: str | None, runs: Path) -> CrossvalPlan:
    model = ModelSpec.of(config, some_split())
    folding = options.folding
    default = f"{config['name']}-{f'{folding}fold' if isinstance(folding, int) else folding}"
    plan = make_plan(model, options, runs / (name or default), runs)
    plan.write()
    return plan


def _chosen_jobs(plan: CrossvalPlan, only_fold: int | None) -> list[FoldJob]:
    chosen = [job for job in plan.jobs if only_fold in (None, job.fold.index)]
    if not chosen:
        last = max(job.fold.index for job in plan.jobs)
        raise EmorecError(f"a fold in 0..{last}", str(only_fold), "set --only_fold")
    return chosen


def _run(plan: CrossvalPlan, chosen: Sequence[FoldJob], jobs: int) -> Outcome:
    if jobs < 1:
        raise EmorecError("at least 1 job", str(jobs), "set --jobs")
    pending = [job for job in chosen if not is_collected(job)]
    log.info("%s: %d of %d folds are done", plan.folder, len(chosen) - len(pending), len(chosen))
    return run_folds(pending, jobs, collect) if pending else Outcome()
