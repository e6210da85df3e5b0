"""How far a cross-validation's figures can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from lightning_emorec.commands.crossval.results import CrossvalResults, System
from lightning_emorec.evaluation.evaluate import Judgement, judge_systems
from lightning_emorec.evaluation.intervals import DEFAULT, Bootstrap
from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.evaluation.significance import compare
from lightning_emorec.metrics import predicts_one_class


def judge_crossval(results: CrossvalResults, bootstrap: Bootstrap = DEFAULT) -> Judgement:
    """Judge every branch and rule by the first task, on the test clips of all folds together.

    Of several seeds the first is judged, as it is what one run gives: probabilities averaged over seeds would be
    those of an ensemble, and a clip counted once for each seed is not so many clips.

    Every system is compared with the branch that is the most accurate on these very clips, which is hard on the
    others; and the chosen rule, out of fold, with itself on the validation split.

    Args:
        results: What was found.
        bootstrap: Level, resamples and seed of the intervals.
    """
    lines = {system.label: results.pooled(system, results.seeds[0]) for system in results.systems}
    judgement = judge_systems(
        lines,
        results.chosen.label,
        [system.label for system in results.systems if system.way is None],
        tasks=results.tasks,
        clips=results.clips,
        part="test",
        bootstrap=bootstrap,
    )
    pairs = list(_pairs(results, judgement.best_branch))
    if not pairs:
        return judgement
    said = {name: Predictions.of(of, judgement.task, results.clips) for name, of in lines.items()}
    return replace(judgement, comparisons=compare(said, bootstrap, pairs=pairs))


def _pairs(results: CrossvalResults, best: str | None) -> Iterator[tuple[str, str]]:
    labels = [system.label for system in results.systems]
    if best is not None:
        yield from ((label, best) for label in labels if label != best)
    if results.chosen.way == "oof":
        yield results.chosen.label, System(results.chosen.name, "val").label


def judged_content(results: CrossvalResults, judgement: Judgement) -> dict[str, Any]:
    """What crossval.json holds of a judgement: as metrics.json, with the seed, and the actors of every system."""
    content = judgement.metrics()
    intervals = {"seed": results.seeds[0], **content["intervals"]}
    return {**content, "intervals": intervals, "system_actors": judgement.actors}


def warnings(results: CrossvalResults) -> list[str]:
    """What a reader of the figures must know: sentences without their full stop."""
    return [
        *results.warnings,
        *(sentence for system in results.systems for sentence in _dull(results, system)),
    ]


def _dull(results: CrossvalResults, system: System) -> Iterator[str]:
    """Whether a branch, or the model, says the same of all test clips of some folds."""
    if system.way is not None and system != results.chosen:
        return
    dull = [cell for cell in results.cells if predicts_one_class(cell.logits[system].logits[results.task])]
    if dull:
        yield (
            f"{system.label} predicts one class only in {len(dull)} of {len(results.cells)} folds: there it has "
            "learned nothing that tells clips apart. Look at its features, or train it otherwise"
        )
