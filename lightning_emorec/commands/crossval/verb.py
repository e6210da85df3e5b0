"""`python -m lightning_emorec crossval`."""

from __future__ import annotations

from pathlib import Path

from lightning_emorec.splits import Scheme, Share


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
) -> object:
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
        The `CrossvalResults`; None with `only_fold`.

    Raises:
        EmorecError: Actors are absent, the folder holds a different cross-validation, or a fold failed.
    """
    from lightning_emorec.commands.crossval.cross_validate import cross_validate
    from lightning_emorec.commands.crossval.jobs import Options
    from lightning_emorec.commands.crossval.model_spec import resolve

    options = Options(folds, seeds, inner, [one for one in single.split(",") if one], val_actors)
    return cross_validate(resolve(config, fit_args or []), options, jobs, only_fold, name, Path(runs))
