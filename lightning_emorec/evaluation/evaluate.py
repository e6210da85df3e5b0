"""How far a run's figures can be trusted: intervals, paired tests, groups and calibration of the judged part."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from lightning_emorec.evaluation.calibration import Calibration, RiskCoverage, calibration, risk_coverage
from lightning_emorec.evaluation.intervals import (
    DEFAULT,
    Bootstrap,
    Estimate,
    Measurement,
    actor_scores,
    measure,
    measure_groups,
)
from lightning_emorec.evaluation.leaderboard import PART_NAMES, rule_line
from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.evaluation.results import RunResults
from lightning_emorec.evaluation.significance import Comparison, compare
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import UNLABELLED, Clip, Part, Tasks

Systems = dict[str, Measurement]


@dataclass(frozen=True)
class Judgement:
    """What a run's first task on its judged part can be trusted for.

    A system is a branch or a rule of a fusion; of a single branch, its judged part.

    Attributes:
        part: The judged part.
        task: The first task.
        classes: Its classes.
        bootstrap: What the intervals were made by.
        model: The system that is the run's own output.
        best_branch: The branch with the highest accuracy; None where there are fewer than two.
        systems: System -> its scores with intervals.
        actors: System -> actor -> scores.
        groups: Further task, such as sex -> class -> the model's scores of the clips labelled so.
        calibrations: System -> how far its probabilities can be believed.
        risks: System -> what it gains by abstaining.
        comparisons: Pairs of systems, on the clips that all of them could take.
    """

    part: Part
    task: str
    classes: list[str]
    bootstrap: Bootstrap
    model: str
    best_branch: str | None
    systems: Systems
    actors: dict[str, dict[str, dict[str, float]]]
    groups: dict[str, Systems]
    calibrations: dict[str, Calibration]
    risks: dict[str, RiskCoverage]
    comparisons: list[Comparison]

    @property
    def measured(self) -> Measurement:
        """The model's scores."""
        return self.systems[self.model]

    @property
    def calibration(self) -> Calibration:
        """The model's."""
        return self.calibrations[self.model]

    @property
    def risk(self) -> RiskCoverage:
        """The model's."""
        return self.risks[self.model]

    def against(self, first: str, second: str | None) -> Comparison | None:
        """The comparison of two systems, the first minus the second; None where they are not compared."""
        for pair in self.comparisons:
            if (pair.first, pair.second) == (first, second):
                return pair
            if (pair.second, pair.first) == (first, second):
                return pair.turned()
        return None

    def metrics(self) -> dict[str, Any]:
        """What metrics.json holds of it."""
        return {
            "intervals": {
                "part": self.part,
                "task": self.task,
                "level": self.bootstrap.level,
                "resamples": self.bootstrap.resamples,
                "actors": self.measured.actors,
                **self._intervals(self.measured),
                "systems": {name: self._intervals(of) for name, of in self.systems.items()},
            },
            "groups": {
                task: {name: self._group(of) for name, of in groups.items()}
                for task, groups in self.groups.items()
            },
            "actors": self.actors[self.model],
            "calibration": {
                **self._calibration(self.model),
                "systems": {name: self._calibration(name) for name in self.systems},
            },
            "comparisons": [_comparison(pair) for pair in self.comparisons],
        }

    def _intervals(self, of: Measurement) -> dict[str, Any]:
        recalls = zip(self.classes, of.recalls, strict=True)
        return {
            **{score: ends(estimate) for score, estimate in of.scores.items()},
            "recall": {name: ends(estimate) for name, estimate in recalls},
        }

    def _calibration(self, system: str) -> dict[str, Any]:
        of = self.calibrations[system]
        return {
            "ece": of.ece,
            "classwise_ece": of.classwise_ece,
            "class_errors": dict(zip(self.classes, of.class_errors, strict=True)),
            "aurc": self.risks[system].aurc,
        }

    def _group(self, of: Measurement) -> dict[str, Any]:
        return {
            "clips": of.clips,
            "actors": of.actors,
            **{score: estimate.value for score, estimate in of.scores.items()},
            "intervals": self._intervals(of),
        }


def ends(estimate: Estimate | None) -> list[float] | None:
    """`[low, high]`, or None where there is no interval."""
    if estimate is None or estimate.interval is None:
        return None
    return [estimate.interval.low, estimate.interval.high]


def judge(results: RunResults, bootstrap: Bootstrap = DEFAULT) -> Judgement:
    """Judge a run by its first task on its judged part.

    Args:
        results: What the run found.
        bootstrap: Level, resamples and seed of the intervals.
    """
    lines = _lines(results)
    part = results.judged_on
    model = rule_line(results, results.fusion.rule) if results.fusion else PART_NAMES[part]
    judgement = judge_systems(
        lines,
        model,
        results.branches,
        tasks=results.tasks,
        clips=results.clips,
        part=part,
        bootstrap=bootstrap,
    )
    said = {name: Predictions.of(of, judgement.task, results.clips) for name, of in lines.items()}
    return replace(judgement, comparisons=_compare(said, bootstrap))


def judge_systems(
    systems: Mapping[str, PartLogits],
    model: str,
    branches: Collection[str],
    *,
    tasks: Tasks,
    clips: Mapping[str, Clip],
    part: Part,
    bootstrap: Bootstrap = DEFAULT,
) -> Judgement:
    """Judge systems one by one by the first task, and compare none of them.

    Args:
        systems: Name -> logits of the judged part; a system may lack clips that it could not take.
        model: The system that is judged in groups too; it has all clips.
        branches: The systems that the best branch is among.
        tasks: Task name -> class names.
        clips: The clips by id.
        part: What the clips are.
        bootstrap: Level, resamples and seed of the intervals.
    """
    task = next(iter(tasks))
    said = {name: Predictions.of(logits, task, clips) for name, logits in systems.items()}
    measured = {name: measure(of, bootstrap) for name, of in said.items()}
    answers = {name: (of.logits[task], of.labels[task]) for name, of in systems.items()}
    return Judgement(
        part=part,
        task=task,
        classes=tasks[task],
        bootstrap=bootstrap,
        model=model,
        best_branch=_best({name: measured[name] for name in branches}),
        systems=measured,
        actors={name: actor_scores(of) for name, of in said.items()},
        groups=_groups(tasks, systems[model], said[model], bootstrap),
        calibrations={name: calibration(*of) for name, of in answers.items()},
        risks={name: risk_coverage(*of) for name, of in answers.items()},
        comparisons=[],
    )


def _lines(results: RunResults) -> dict[str, PartLogits]:
    part = results.judged_on
    if not results.fusion:
        return {PART_NAMES[part]: results.output[part]}
    rules = {rule_line(results, name): of[part] for name, of in results.rules.items()}
    return {**{name: of[part] for name, of in results.branches.items()}, **rules}


def _best(branches: Systems) -> str | None:
    if len(branches) < 2:
        return None
    return max(branches, key=lambda name: branches[name].scores["accuracy"].value)


def _groups(tasks: Tasks, part: PartLogits, model: Predictions, bootstrap: Bootstrap) -> dict[str, Systems]:
    """Groups in the order of their task's classes."""
    first = next(iter(tasks))
    judged = (part.labels[first] != UNLABELLED).tolist()
    found = {}
    for task in [task for task in part.labels if task != first]:
        names = tasks[task]
        labels = [
            label for label, known in zip(part.labels[task].tolist(), judged, strict=True) if known
        ]  # of the clips that the first task labels
        groups = [None if label == UNLABELLED else names[label] for label in labels]
        measured = measure_groups(model, groups, bootstrap)
        found[task] = {name: measured[name] for name in names if name in measured}
    return {task: groups for task, groups in found.items() if groups}


def _compare(systems: Mapping[str, Predictions], bootstrap: Bootstrap) -> list[Comparison]:
    """Compare on the clips that every system has taken: a branch that needs audio skips those without."""
    shared = set.intersection(*(set(of.clip_ids) for of in systems.values()))
    if len(systems) < 2 or not shared:
        return []
    return compare({name: on(of, shared) for name, of in systems.items()}, bootstrap)


def on(predictions: Predictions, clips: set[str]) -> Predictions:
    """Those predictions that are of these clips."""
    return predictions.rows(np.flatnonzero([clip in clips for clip in predictions.clip_ids]))


def _comparison(pair: Comparison) -> dict[str, Any]:
    difference = {"value": pair.accuracy_difference.value, "interval": ends(pair.accuracy_difference)}
    return {**asdict(pair), "accuracy_difference": difference, "least_p": pair.least_p}
