"""Evaluation of named systems: scores, intervals, calibration and paired tests, each computed once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from lightning_emorec.evaluation.adaptation import AdaptedRow, adapted_rows
from lightning_emorec.evaluation.calibration import Calibration, RiskCoverage, calibration, risk_coverage
from lightning_emorec.evaluation.intervals import (
    DEFAULT,
    Bootstrap,
    Measurement,
    actor_scores,
    measure,
    measure_groups,
)
from lightning_emorec.evaluation.prediction_sets import PredictionSets, prediction_sets
from lightning_emorec.evaluation.predictions import Predictions, shared_clips
from lightning_emorec.evaluation.results import Results, System
from lightning_emorec.evaluation.significance import Comparison, paired_tests
from lightning_emorec.metrics import Integers, Scores, score_part
from lightning_emorec.types import UNLABELLED, Part

TaskScores = dict[str, Scores]
"""Task name -> scores."""

FoldScores = dict[Part, TaskScores]
"""Part -> task name -> scores, of one fold."""


@dataclass(frozen=True)
class SystemScores:
    """Scores of one system on the evaluated part, for the first task, and of each fold for all tasks.

    Attributes:
        predictions: Predictions of the first seed, pooled over folds.
        measured: Scores with intervals.
        actors: Actor -> scores.
        calibration: Calibration of its probabilities.
        risk: Its risk-coverage curve.
        folds: Scores of every fold with every seed; empty if only predictions are known.
        pooled: Scores pooled over folds, of every seed.
    """

    predictions: Predictions = field(compare=False)
    measured: Measurement
    actors: dict[str, dict[str, float]]
    calibration: Calibration
    risk: RiskCoverage
    folds: list[FoldScores] = field(default_factory=list, compare=False)
    pooled: list[TaskScores] = field(default_factory=list, compare=False)


@dataclass(frozen=True)
class Evaluation:
    """Evaluation of several systems on the same clips: branches and rules, or runs.

    Attributes:
        part: The evaluated part.
        task: The first task.
        bootstrap: Settings of the intervals.
        systems: Label -> its scores.
        chance: Scores of always predicting the most frequent class.
        comparisons: Pairs of systems, on the clips that all systems have predicted.
        model: Label of the model's system; empty if runs are compared.
        best_branch: The branch of the highest accuracy; None for fewer than two.
        oracle: Scores if a clip counts as right when any branch is right; empty for fewer than two branches.
        groups: Further task, such as sex -> class -> the model's scores on the clips of that class.
        before_refit: Label -> task name -> scores on the same clips before the refit.
        clips_left_out: Number of clips that are not in all of the compared runs.
        sets: Evaluation of the model's prediction sets; None without validation logits to calibrate them.
        adapted: Scores when the model is adapted to each speaker by unlabelled clips; empty if it is not.
    """

    part: Part
    task: str
    bootstrap: Bootstrap
    systems: dict[str, SystemScores]
    chance: Scores
    comparisons: list[Comparison] = field(default_factory=list)
    model: str = ""
    best_branch: str | None = None
    oracle: Scores = field(default_factory=dict)
    groups: dict[str, dict[str, Measurement]] = field(default_factory=dict)
    before_refit: dict[str, TaskScores] = field(default_factory=dict)
    clips_left_out: int = 0
    sets: PredictionSets | None = None
    adapted: list[AdaptedRow] = field(default_factory=list)

    @property
    def of_model(self) -> SystemScores:
        """The model's scores, or those of the first run."""
        return self.systems[self.model] if self.model else next(iter(self.systems.values()))

    @property
    def classes(self) -> list[str]:
        """Class names of the task."""
        return self.of_model.predictions.classes

    @property
    def measured(self) -> Measurement:
        """The model's scores, or those of the first run."""
        return self.of_model.measured

    def against(self, first: str, second: str | None) -> Comparison | None:
        """The comparison of two systems, the first minus the second; None if they were not compared."""
        for pair in self.comparisons:
            if (pair.first, pair.second) == (first, second):
                return pair
            if (pair.second, pair.first) == (first, second):
                return pair.turned()
        return None


def evaluate(
    systems: Mapping[str, Predictions], part: Part, task: str, bootstrap: Bootstrap = DEFAULT
) -> Evaluation:
    """Score each system (label -> predictions, of possibly different clips) without comparing them."""
    scored = {
        label: SystemScores(of, measure(of, bootstrap), actor_scores(of), calibration(of), risk_coverage(of))
        for label, of in systems.items()
    }
    return Evaluation(part, task, bootstrap, scored, chance(next(iter(systems.values())).labels))


def evaluate_results(results: Results, bootstrap: Bootstrap = DEFAULT) -> Evaluation:
    """Evaluate a run or a cross-validation by the first task, pooled over folds.

    Of several seeds the first is evaluated, which corresponds to one run: probabilities averaged over seeds would be
    those of an ensemble, and counting a clip once for each seed would overstate the number of clips.
    """
    labels, task, first = {s: results.label(s) for s in results.systems}, results.task, results.seeds[0]
    predictions = {
        label: Predictions.of(results.pooled(system, first), task, results.tasks[task], results.clips)
        for system, label in labels.items()
    }
    found = evaluate(predictions, results.part, task, bootstrap)
    systems = {
        label: replace(
            found.systems[label],
            folds=(folds := scores_by_fold(results, system)),
            pooled=_pooled_scores(results, system, folds),
        )
        for system, label in labels.items()
    }
    model = labels[results.chosen]
    branches = [labels[branch] for branch in results.branches]
    best = _best({label: systems[label] for label in branches})
    return replace(
        found,
        systems=systems,
        chance=chance(predictions[model].labels),
        comparisons=compare_systems(predictions, results.pairs(best), bootstrap),
        model=model,
        best_branch=best,
        oracle=oracle(predictions[model], [predictions[label] for label in branches]) if best else {},
        groups=_groups(results, predictions[model], bootstrap),
        before_refit={labels[system]: score_part(of) for system, of in results.before_refit.items()},
        sets=prediction_sets(results),
        adapted=adapted_rows(results, bootstrap),
    )


def scores_by_fold(results: Results, system: System) -> list[FoldScores]:
    """Scores of a system on every part of every fold."""
    return [
        {part: score_part(logits) for part, logits in fold.logits[system].items()} for fold in results.folds
    ]


def _pooled_scores(results: Results, system: System, folds: list[FoldScores]) -> list[TaskScores]:
    if len(folds) == 1:
        return [folds[0][results.part]]
    return [score_part(results.pooled(system, seed)) for seed in results.seeds]


def _best(branches: Mapping[str, SystemScores]) -> str | None:
    if len(branches) < 2:
        return None
    return max(branches, key=lambda name: branches[name].measured.scores["accuracy"].value)


def chance(labels: Integers) -> Scores:
    """Scores of always predicting the most frequent class of (clips,) labels."""
    _, counts = np.unique(labels, return_counts=True)
    return {"accuracy": float(counts.max() / counts.sum()), "uar": 1 / len(counts)}


def oracle(whole: Predictions, branches: Collection[Predictions]) -> Scores:
    """Scores if a clip counts as right when any branch is right.

    `whole` has all clips; a branch that did not predict a clip counts as wrong for it.
    """
    right = {
        clip
        for branch in branches
        for clip, is_right in zip(branch.clip_ids, branch.right.tolist(), strict=True)
        if is_right
    }
    return {"accuracy": len(right & {*whole.clip_ids}) / len(whole.clip_ids)}


def compare_systems(
    systems: Mapping[str, Predictions], pairs: list[tuple[str, str]], bootstrap: Bootstrap
) -> list[Comparison]:
    """Compare pairs on the clips that every system has predicted; a branch may skip clips without audio."""
    shared = shared_clips(systems.values())
    if not pairs or not shared:
        return []
    return paired_tests({name: of.on(shared) for name, of in systems.items()}, bootstrap, pairs=pairs)


def _groups(results: Results, model: Predictions, bootstrap: Bootstrap) -> dict[str, dict[str, Measurement]]:
    """The model's scores for the clips of each class of the further tasks, in the order of the classes."""
    part = results.pooled(results.chosen, results.seeds[0])
    found = {}
    for task in [task for task in part.labels if task != results.task]:
        names = results.tasks[task]
        labels = dict(zip(part.clip_ids, part.labels[task].tolist(), strict=True))
        groups = [None if labels[clip] == UNLABELLED else names[labels[clip]] for clip in model.clip_ids]
        measured = measure_groups(model, groups, bootstrap)
        found[task] = {name: measured[name] for name in names if name in measured}
    return {task: groups for task, groups in found.items() if groups}
