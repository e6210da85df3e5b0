"""`python -m lightning_emorec crossval`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from lightning_emorec.commands.crossval.cells import Cell, Options
from lightning_emorec.commands.crossval.collect import collect, is_collected
from lightning_emorec.commands.crossval.folds import some_split
from lightning_emorec.commands.crossval.gather import gather
from lightning_emorec.commands.crossval.plan import Plan, make_plan
from lightning_emorec.commands.crossval.report import print_crossval, write_crossval_page
from lightning_emorec.commands.crossval.results import CrossvalResults, write_results
from lightning_emorec.commands.crossval.run import Outcome, run_cells
from lightning_emorec.commands.crossval.subject import Config, Subject, resolve
from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.evaluate import evaluate_results
from lightning_emorec.splits import Scheme

log = logging.getLogger(__name__)


def crossval(
    config: str = "configs/fused.yaml",
    folds: Scheme | int = 5,
    seeds: int = 1,
    inner: int = 3,
    single: str = "",
    val_actors: int = 4,
    jobs: int = 1,
    only_fold: int | None = None,
    name: str | None = None,
    runs: str = "runs",
    fit_args: list[str] | None = None,
) -> CrossvalResults | None:
    """Test on every actor once: one `fit` for each fold and seed, and fusion on out-of-fold logits.

    Run again, it goes on where it was stopped; what is done is not computed again. Several processes or
    machines may share the folder: each fold is computed by one of them.

    Args:
        config: What `fit` would take; its split is replaced by the folds'.
        folds: A published scheme of RAVDESS, which needs all its actors, or a number of folds over the actors
            that are there, balanced by sex.
        seeds: How many seeds, counted from the config's.
        inner: Inner folds of each fold's training and validation actors, for out-of-fold logits that the
            fusion rules are solved on; 0 leaves that out.
        single: Branches too dear for inner folds, with commas between: the rules are then solved on the clips
            of the validation actors, for which all branches have logits.
        val_actors: Validation actors of each fold, taken from its training actors.
        jobs: Folds at a time, each in a process of its own; with several GPUs they take turns on them.
        only_fold: Compute this fold only; a last call without it puts the folds together.
        name: Of the folder of results; by default made of the config's name and the folds.
        runs: Folder of all runs.
        fit_args: Further arguments of each `fit`: everything after `--`.

    Returns:
        What was found; None with `only_fold`.

    Raises:
        EmorecError: Actors are absent, the folder holds something else, or a fold failed.
    """
    options = Options(folds, seeds, inner, [one for one in single.split(",") if one], val_actors)
    plan = _plan(resolve(config, fit_args or []), options, name, Path(runs))
    outcome = _run(plan, _chosen_cells(plan, only_fold), jobs)
    if outcome.failed:
        raise next(iter(outcome.failed.values()))
    if only_fold is not None:
        return None
    if outcome.elsewhere:
        found = f"{', '.join(outcome.elsewhere)} at work in another process"
        raise EmorecError("every fold to be done", found, "run the same command again when it has ended")
    results = gather(plan.folder)
    evaluation = evaluate_results(results)
    write_results(results, evaluation, plan.folder)
    print_crossval(results, evaluation, write_crossval_page(results, evaluation, plan.folder))
    return results


def _plan(config: Config, options: Options, name: str | None, runs: Path) -> Plan:
    subject = Subject.of(config, some_split())
    folding = options.folding
    default = f"{config['name']}-{f'{folding}fold' if isinstance(folding, int) else folding}"
    plan = make_plan(subject, options, runs / (name or default), runs)
    plan.keep()
    return plan


def _chosen_cells(plan: Plan, only_fold: int | None) -> list[Cell]:
    chosen = [cell for cell in plan.cells if only_fold in (None, cell.fold.index)]
    if not chosen:
        last = max(cell.fold.index for cell in plan.cells)
        raise EmorecError(f"a fold in 0..{last}", str(only_fold), "set --only_fold")
    return chosen


def _run(plan: Plan, chosen: Sequence[Cell], jobs: int) -> Outcome:
    if jobs < 1:
        raise EmorecError("at least 1 job", str(jobs), "set --jobs")
    pending = [cell for cell in chosen if not is_collected(cell)]
    log.info("%s: %d of %d folds are done", plan.folder, len(chosen) - len(pending), len(chosen))
    return run_cells(pending, jobs, collect) if pending else Outcome()
