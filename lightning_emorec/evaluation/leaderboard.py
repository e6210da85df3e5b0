"""The rows of the score table: branches, rules, the oracle and chance on the evaluated part."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lightning_emorec.evaluation.evaluate import Evaluation, SystemScores
from lightning_emorec.evaluation.results import PART_NAMES, Results, System, Way
from lightning_emorec.metrics import Scores, predicts_one_class
from lightning_emorec.types import UNLABELLED

MeanSd = dict[str, float | None]
"""`mean`, and `sd` with n - 1 in the denominator: None for a single value."""

SECTIONS: dict[Way | None, str] = {
    None: "Branches",
    "val": "Rules, solved on the validation clips",
    "oof": "Rules, solved out of fold",
}


@dataclass(frozen=True)
class ScoreRow:
    """One row of the score table.

    Attributes:
        name: Name of the branch, the rule or the part.
        kind: `chosen` is the rule that makes the model's output.
        scores: Available scores of the first seed; empty for a branch that was left out.
        label: The system's label; empty for a row without a system.
        system: Scores of the system, with intervals.
        section: The way in which rules were solved if there are several; else empty.
        seeds: Score -> mean and deviation over seeds; empty for a single seed.
        weight: Share of a branch in the chosen rule, if any.
        reason: The reason why a branch was left out.
        skipped: Number of clips without audio that a branch did not predict; its scores exclude them.
        before: Scores on the same clips before the refit; empty without a refit.
    """

    name: str
    kind: Literal["part", "branch", "left out", "rule", "chosen", "oracle", "chance"]
    scores: Scores
    label: str = ""
    system: SystemScores | None = None
    section: str = ""
    seeds: dict[str, MeanSd] = field(default_factory=dict)
    weight: float | None = None
    reason: str = ""
    skipped: int = 0
    before: Scores = field(default_factory=dict)


def score_rows(results: Results, evaluation: Evaluation) -> list[ScoreRow]:
    """Rows for a fusion's branches and rules, or for the parts of a single model; then for the oracle and chance."""
    rows = [_row(results, evaluation, system) for system in results.branches]
    section = rows[0].section if rows else ""
    rows += [
        ScoreRow(name, "left out", {}, section=section, reason=why) for name, why in results.left_out.items()
    ]
    for system in results.systems:
        if system.kind == "rule":
            rows.append(_row(results, evaluation, system))
        elif system.kind == "model":
            rows += _parts(results, evaluation, system)
    if evaluation.oracle:
        rows.append(ScoreRow("oracle", "oracle", evaluation.oracle))
    return [*rows, ScoreRow("chance", "chance", evaluation.chance)]


def _parts(results: Results, evaluation: Evaluation, model: System) -> Iterator[ScoreRow]:
    """A row for every part of a single model; that of the evaluated part has the system."""
    for part, scores in evaluation.systems[results.label(model)].folds[0].items():
        if part == results.part:
            yield _row(results, evaluation, model)
        else:
            yield ScoreRow(PART_NAMES[part], "part", scores[results.task])


def _row(results: Results, evaluation: Evaluation, system: System) -> ScoreRow:
    label, task, first = results.label(system), results.task, results.folds[0]
    scored = evaluation.systems[label]
    kind = "part" if system.kind == "model" else system.kind
    learned = first.weights.get(results.chosen, {}).get(task) if system.kind == "branch" else None
    clips = {of: len(results.pooled(of, first.seed).clip_ids) for of in (system, results.chosen)}
    return ScoreRow(
        system.name if system.way else label,
        "chosen" if system == results.chosen and results.is_fusion else kind,
        scored.pooled[0][task],
        label,
        scored,
        SECTIONS[system.way] if any(of.way for of in results.systems) else "",
        over_seeds(scored, task) if results.seeds[1:] else {},
        (learned.shares or {}).get(system.name) if learned else None,
        skipped=clips[results.chosen] - clips[system],
        before=evaluation.before_refit.get(label, {}).get(task, {}),
    )


def over_seeds(system: SystemScores, task: str) -> dict[str, MeanSd]:
    """Score -> mean and deviation over seeds, pooled over folds."""
    return means_and_sds(scores[task] for scores in system.pooled)


def means_and_sds(scores: Iterable[Scores]) -> dict[str, MeanSd]:
    """Score -> mean and deviation of several scores."""
    listed = list(scores)
    return {metric: mean_and_sd([of[metric] for of in listed]) for metric in listed[0] if metric != "clips"}


def mean_and_sd(values: Sequence[float]) -> MeanSd:
    """Mean and standard deviation of at least one value."""
    return {"mean": statistics.fmean(values), "sd": statistics.stdev(values) if len(values) > 1 else None}


def warnings(results: Results) -> list[str]:
    """Caveats on the scores: sentences without a full stop."""
    models = [(results.label(branch), branch) for branch in results.branches]
    if results.chosen not in results.branches:
        models.append((results.model_name, results.chosen))
    found = [sentence for name, system in models for sentence in _one_class(results, name, system)]
    return [*results.warnings, *found]


def _one_class(results: Results, name: str, system: System) -> Iterator[str]:
    """A warning for each task for which a single class is predicted for all clips of a fold.

    If all labels are of one class too, as `sex` with one actor, there is no warning.
    """
    parts = [fold.logits[system][results.part] for fold in results.folds]
    for task in parts[0].logits:
        found = [
            of.logits[task]
            for of in parts
            if len(set(of.labels[task][of.labels[task] != UNLABELLED].tolist())) > 1
            and predicts_one_class(of.logits[task])
        ]
        if found:
            label = results.tasks[task][int(found[0][0].argmax())]
            where = (
                f"in {len(found)} of {len(parts)} folds"
                if parts[1:]
                else f"{task} is {label!r} for all {len(found[0])} clips"
            )
            yield (
                f"{name} predicts one class only: {where}. It has not learned to distinguish the clips: "
                "check its features, or train it with other settings"
            )
