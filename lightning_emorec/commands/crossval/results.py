"""Results of a cross-validation, and the files with its scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.audio import Counts
from lightning_emorec.evaluation.evaluate import Evaluation, SystemScores
from lightning_emorec.evaluation.formats import count
from lightning_emorec.evaluation.leaderboard import MeanSd, mean_and_sd, means_and_sds, over_seeds
from lightning_emorec.evaluation.report import shares_by_fold
from lightning_emorec.evaluation.results import Results, System
from lightning_emorec.evaluation.writers import (
    Row,
    as_csv,
    evaluation_content,
    prediction_rows,
    probability_columns,
    write_json,
)


@dataclass(frozen=True)
class CrossvalResults(Results):
    """Results of a cross-validation; for the attributes see `crossval`."""

    folding: str | int = 0
    inner: int = 0
    single: list[str] = field(default_factory=list)
    val_actors: int | float = 0
    audio: Counts | None = None

    @property
    def headline(self) -> list[str]:
        """As in `fused-5fold`, `5 folds`, `1 seed`, `emotion on 1440 test clips`."""
        return [*self.heading, f"{self.task} on {len(self.clips)} test clips, pooled over folds"]

    @property
    def heading(self) -> list[str]:
        """Name, folds and seeds."""
        folds = count(len(self.of(self.seeds[0])), "fold")
        scheme = "" if isinstance(self.folding, int) else f"{self.folding}, "
        return [self.name, scheme + folds, count(len(self.seeds), "seed")]

    @property
    def command(self) -> str:
        """The command that repeats the cross-validation, run in its folder."""
        options: dict[str, str | float] = {
            "folds": self.folding,
            "seeds": len(self.seeds),
            "inner": self.inner,
        }
        options |= {"single": ",".join(self.single)} if self.single else {}
        options["val_actors"] = self.val_actors
        given = " ".join(f"--{name} {value}" for name, value in options.items())
        return f"python -m lightning_emorec crossval --config config.yaml {given}"

    def pairs(self, best_branch: str | None) -> list[tuple[str, str]]:
        """Every system against the most accurate branch, and the chosen rule in both ways.

        The branch is chosen on the same test clips, which favours it.
        """
        labels = [self.label(system) for system in self.systems]
        pairs = [(label, best_branch) for label in labels if label != best_branch] if best_branch else []
        return pairs + ([self.both_ways] if self.chosen.way == "oof" else [])

    @property
    def both_ways(self) -> tuple[str, str]:
        """Labels of the chosen rule and of the same rule solved on the validation split."""
        return self.label(self.chosen), self.label(System(self.chosen.name, "rule", "val"))


def write_results(results: CrossvalResults, evaluation: Evaluation, folder: Path) -> None:
    """Write crossval.json, the tables of predictions, and the logits of every system."""
    for system in results.systems:
        for seed in results.seeds:
            results.pooled(system, seed).save(logits_path(folder, system, seed))
    columns = ["fold", "seed", "actor", "split", "task", "label", "predicted"]
    columns += probability_columns(results.tasks)
    rows = _rows(results, [results.chosen])
    write_atomically(folder / "predictions.csv", as_csv(["clip", *columns], rows))
    if results.is_fusion:
        rows = _rows(results, results.branches)
        write_atomically(folder / "branch_predictions.csv", as_csv(["clip", "branch", *columns], rows))
    write_json(crossval_content(results, evaluation), folder / "crossval.json")


def logits_path(folder: Path, system: System, seed: int) -> Path:
    """The file of a system's pooled test logits, as in `oof/seed1/oof/log_linear.pt`."""
    return folder / "oof" / f"seed{seed}" / (system.way or "branches") / f"{system.name}.pt"


def _rows(results: CrossvalResults, systems: Sequence[System]) -> Iterator[Row]:
    for system in systems:
        for fold in results.folds:
            given = {"fold": str(fold.index), "seed": str(fold.seed)}
            given |= {"branch": system.name} if results.is_fusion and system.kind == "branch" else {}
            for row in prediction_rows(results.tasks, results.clips, fold.logits[system]):
                yield {**row, **given}


def crossval_content(results: CrossvalResults, evaluation: Evaluation) -> dict[str, Any]:
    """The content of crossval.json."""
    scored = {of: system_content(results, evaluation.systems[results.label(of)]) for of in results.systems}
    ways = list(dict.fromkeys(rule.way for rule in results.rules))
    by_way = {way: [rule for rule in results.rules if rule.way == way] for way in ways}
    judged = evaluation_content(evaluation)
    return {
        "folds": results.folding,
        "seeds": results.seeds,
        "inner": results.inner,
        "single": results.single,
        "synthetic": results.synthetic,
        "warnings": results.warnings,
        "audio": results.audio and asdict(results.audio),
        "chosen": {"name": results.chosen.name, "way": results.chosen.way},
        "branches": {branch.name: scored[branch] for branch in results.branches},
        "left_out": results.left_out,
        "rules": {way: {rule.name: scored[rule] for rule in rules} for way, rules in by_way.items()},
        "weights": {
            way: {rule.name: _weights(results, rule) for rule in rules} for way, rules in by_way.items()
        },
        "cells": [
            {
                "seed": fold.seed,
                "fold": fold.index,
                "test_actors": list(dict.fromkeys(results.clips[clip].actor for clip in clips)),
                "clips": len(clips),
                "solved_on": fold.solved_on,
                "seconds": fold.seconds,
                "versions": fold.versions,
            }
            for fold in results.folds
            for clips in [fold.logits[results.chosen]["test"].clip_ids]
        ],
        **judged,
        "intervals": {"seed": results.seeds[0], **judged["intervals"]},
        "system_actors": {label: of.actors for label, of in evaluation.systems.items()},
    }


def system_content(results: CrossvalResults, system: SystemScores) -> dict[str, Any]:
    """Task -> scores of each fold and pooled over folds, with mean and deviation of both.

    `seeds` summarises the pooled scores of the seeds, `folds` those of all folds with all seeds.
    """
    folds = list(zip(results.folds, (scores["test"] for scores in system.folds), strict=True))
    return {
        task: {
            "pooled": [
                {"seed": seed, **scores[task]}
                for seed, scores in zip(results.seeds, system.pooled, strict=True)
            ],
            "seeds": over_seeds(system, task),
            "by_fold": [
                {"seed": fold.seed, "fold": fold.index, **scores[task]}
                for fold, scores in folds
                if task in scores
            ],
            "folds": means_and_sds(scores[task] for _, scores in folds if task in scores),
        }
        for task in system.pooled[0]
    }


def _weights(results: CrossvalResults, rule: System) -> dict[str, Any]:
    return {
        task: {
            "by_fold": [
                {"seed": fold.seed, "fold": fold.index, **asdict(fold.weights[rule][task])}
                for fold in results.folds
            ],
            "shares": weights_over_folds(results, rule, task),
            "temperature": temperature_over_folds(results, rule, task),
        }
        for task in results.tasks
    }


def weights_over_folds(results: CrossvalResults, rule: System, task: str) -> dict[str, MeanSd]:
    """Branch name -> its weight over folds and seeds; empty for a rule without weights."""
    given = shares_by_fold(results, rule, task)
    return {name: mean_and_sd([of[name] for of in given]) for name in given[0]} if given else {}


def temperature_over_folds(results: CrossvalResults, rule: System, task: str) -> MeanSd | None:
    """The temperature of a rule over folds and seeds; None for a rule without one."""
    given = [fold.weights[rule][task].temperature for fold in results.folds]
    known = [of for of in given if of is not None]
    return mean_and_sd(known) if known else None


def learned_weights(results: CrossvalResults) -> dict[System, dict[str, MeanSd]]:
    """The learned weights of each rule for the first task."""
    learning = [rule for rule in results.rules if rule.name != "average"]
    found = {rule: weights_over_folds(results, rule, results.task) for rule in learning}
    return {rule: weights for rule, weights in found.items() if weights}
