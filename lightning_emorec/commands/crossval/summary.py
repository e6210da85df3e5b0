"""crossval.json: scores by fold and pooled, weights and their spread, seconds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from lightning_emorec.commands.crossval.results import CrossvalResults, System
from lightning_emorec.metrics import Scores, score_part

Spread = dict[str, float | None]
"""`mean`, and `sd` with n - 1 in the denominator: None for a single value."""


def summary(results: CrossvalResults) -> dict[str, Any]:
    """The content of crossval.json."""
    rules = [system for system in results.systems if system.way]
    ways = list(dict.fromkeys(system.way for system in rules))
    return {
        "folds": results.folding,
        "seeds": results.seeds,
        "inner": results.inner,
        "single": results.single,
        "synthetic": results.synthetic,
        "warnings": results.warnings,
        "chosen": {"name": results.chosen.name, "way": results.chosen.way},
        "branches": {s.name: system_scores(results, s) for s in results.systems if not s.way},
        "left_out": results.left_out,
        "rules": {way: {s.name: system_scores(results, s) for s in rules if s.way == way} for way in ways},
        "weights": {way: {s.name: _weights(results, s) for s in rules if s.way == way} for way in ways},
        "cells": [
            {
                "seed": cell.seed,
                "fold": cell.fold,
                "test_actors": list(dict.fromkeys(clip.actor for clip in cell.clips)),
                "clips": len(cell.clips),
                "solved_on": cell.solved_on,
                "seconds": cell.seconds,
                "versions": cell.versions,
            }
            for cell in results.cells
        ],
    }


def system_scores(results: CrossvalResults, system: System) -> dict[str, Any]:
    """Task -> scores of each fold and pooled over folds, and the spread of both.

    `seeds` is the spread of the pooled scores over seeds, `folds` that of all folds with all seeds.
    """
    folds = [(cell, score_part(cell.logits[system])) for cell in results.cells]
    pooled = [(seed, score_part(results.pooled(system, seed))) for seed in results.seeds]
    return {
        task: {
            "pooled": [{"seed": seed, **scores[task]} for seed, scores in pooled],
            "seeds": spreads(scores[task] for _, scores in pooled),
            "by_fold": [
                {"seed": cell.seed, "fold": cell.fold, **scores[task]}
                for cell, scores in folds
                if task in scores
            ],
            "folds": spreads(scores[task] for _, scores in folds if task in scores),
        }
        for task in pooled[0][1]
    }


def spreads(scores: Iterable[Scores]) -> dict[str, Spread]:
    """Metric -> spread over several scores."""
    listed = list(scores)
    return {metric: spread([of[metric] for of in listed]) for metric in listed[0] if metric != "clips"}


def spread(values: Sequence[float]) -> Spread:
    """Mean and standard deviation of at least one value."""
    return {
        "mean": statistics.fmean(values),
        "sd": statistics.stdev(values) if len(values) > 1 else None,
    }


def weight_spreads(results: CrossvalResults, system: System, task: str) -> dict[str, Spread]:
    """Branch name -> spread of its share over folds and seeds; empty for a rule that has none."""
    shares = [cell.weights[system][task].shares for cell in results.cells]
    given = [of for of in shares if of is not None]
    return {name: spread([of[name] for of in given]) for name in given[0]} if given else {}


def learned_weights(results: CrossvalResults, system: System) -> dict[str, Spread]:
    """The same for the first task and a rule that learns its weights; empty for any other system."""
    if system.way is None or system.name == "average":
        return {}
    return weight_spreads(results, system, results.task)


def temperature_spread(results: CrossvalResults, system: System, task: str) -> Spread | None:
    """Spread of a rule's temperature over folds and seeds; None for a rule that learns none."""
    found = [cell.weights[system][task].temperature for cell in results.cells]
    given = [of for of in found if of is not None]
    return spread(given) if given else None


def _weights(results: CrossvalResults, system: System) -> dict[str, Any]:
    return {
        task: {
            "by_fold": [
                {"seed": cell.seed, "fold": cell.fold, **asdict(cell.weights[system][task])}
                for cell in results.cells
            ],
            "shares": weight_spreads(results, system, task),
            "temperature": temperature_spread(results, system, task),
        }
        for task in results.tasks
    }
