"""`stress`: evaluates a finished run on degraded audio, and with a modality missing."""

from __future__ import annotations

from typing import Literal

from lightning_emorec.errors import EmorecError


def stress(
    run: str,
    conditions: list[str] | str | None = None,
    part: Literal["test", "val"] | None = None,
    runs: str = "runs",
    skip: list[str] | str | None = None,
    suite: bool = False,
    clips: int | None = None,
) -> object:
    """Evaluate a finished run on degraded audio, and with a modality missing; or hold it to a suite of tests.

    The scores are for reporting only, not for choosing a model. Computed logits are kept in the run's folder and
    reused.

    Args:
        run: Folder of a fused run or of a branch's run, or its name within `runs`; with `suite` also of a
            cross-validation, of which each fold's model is held to the test actors of the fold.
        conditions: Names, as [white,babble] or white,babble; all by default. With `suite` its own names.
        part: Part to evaluate; by default test if the run was tested, else val.
        runs: Folder of all runs.
        skip: Branches to leave out, for example because their features take too long, as [a,b] or a,b.
        suite: Tests with thresholds for correctness, fairness and robustness (docs/stress.md).
        clips: Evaluate no more clips of a run than these, drawn by its seed; all by default.

    Returns:
        The content of the files: `StressResults`, or `SuiteResults` with `suite`.
    """
    from lightning_emorec.commands.stress.degradations import CONDITIONS, check_conditions
    from lightning_emorec.commands.stress.finished_run import load_finished_run
    from lightning_emorec.commands.stress.page import print_stress, write_stress_page
    from lightning_emorec.commands.stress.results import write_results
    from lightning_emorec.commands.stress.stress_test import StressTest
    from lightning_emorec.commands.stress.suite import run_suite

    if clips is not None and clips < 1:
        raise EmorecError("at least one clip", str(clips), "set --clips, or leave it out for all")
    names = None if conditions is None else _names(conditions)
    if suite:
        return run_suite(run, names, part, runs, _names(skip or []), clips)
    wanted = list(CONDITIONS) if names is None else names
    check_conditions(wanted)
    finished = load_finished_run(run, runs)
    results = StressTest(finished, finished.judged_part(part), _names(skip or []), clips).results(wanted)
    folder = finished.folder / "stress"
    write_results(results, folder)
    print_stress(results, write_stress_page(results, folder))
    return results


def _names(given: list[str] | str) -> list[str]:
    return [name.strip() for name in given.split(",") if name.strip()] if isinstance(given, str) else given
