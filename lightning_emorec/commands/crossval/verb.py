"""`python -m lightning_emorec crossval`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from lightning_emorec.commands.crossval.collect import collect, is_collected
from lightning_emorec.commands.crossval.folds import some_split
from lightning_emorec.commands.crossval.gather import gather
from lightning_emorec.commands.crossval.jobs import FoldJob, Options
from lightning_emorec.commands.crossval.model_spec import Config, ModelSpec, resolve
from lightning_emorec.commands.crossval.report import print_crossval, write_crossval_page
from lightning_emorec.commands.crossval.results import CrossvalResults, write_results
from lightning_emorec.commands.crossval.run import Outcome, run_folds
from lightning_emorec.commands.crossval.study import CrossvalPlan, make_plan
from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.evaluate import evaluate_results
from lightning_emorec.splits import Scheme, Share

log = logging.getLogger(__name__)


def crossval(
    config: str = "configs/fused.yaml",
    folds: Scheme | int = 5,
    seeds: int = 1,
    inner: int = 3,
    single: str = "",
    val_actors: int | Share = 4,
    jobs: int = 1,
    only_fold: int | None = None,
    name: str | None = None,
    runs: str = "runs",
    fit_args: list[str] | None = None,
) -> CrossvalResults | None:
    """Test on every actor once: one `fit` for each fold and seed, and fusion on out-of-fold logits.

    The same command resumes a stopped cross-validation, and finished folds are not computed again. Several processes
    or machines may share the folder: each fold is computed by one of them.

    Args:
        config: Config of a `fit`; its split is replaced by that of each fold.
        folds: A published scheme of RAVDESS, which needs all its actors, or a number of folds over the actors
            of the corpus, balanced by sex.
        seeds: Number of seeds, counted from the seed in the config.
        inner: Number of inner folds over each fold's training and validation actors, for out-of-fold logits on which
            the fusion rules are solved; 0 for none.
        single: Branches without inner folds, which would take too long, separated by commas: the rules are then
            solved on the clips of the validation actors, for which all branches have logits.
        val_actors: Validation actors of each fold, taken from its training actors, or a share of these, such as 0.15.
        jobs: Number of folds at a time, each in a child process; several GPUs are assigned in turn.
        only_fold: Compute this fold only; a last call without this flag joins the folds.
        name: Name of the folder of results; by default the config's name and the folds.
        runs: Folder of all runs.
        fit_args: Further arguments of each `fit`: everything after `--`.

    Returns:
        The results; None with `only_fold`.

    Raises:
        EmorecError: Actors are absent, the folder holds a different cross-validation, or a fold failed.
    """
    options = Options(folds, seeds, inner, [one for one in single.split(",") if one], val_actors)
    plan = _plan(resolve(config, fit_args or []), options, name, Path(runs))
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
