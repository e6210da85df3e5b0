"""Solves every rule on the logits of some clips, and applies it to those of others."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

from jsonargparse import ArgumentParser

from lightning_emorec.fusion import FusionRule, LogLinear, compared_rules
from lightning_emorec.part_logits import PartLogits, stack
from lightning_emorec.types import UNLABELLED


@dataclass(frozen=True)
class Weights:
    """What a rule learned for one task.

    Attributes:
        shares: Branch name -> weight, summing to 1; None where the rule has none.
        temperature: None where the rule learns no scale.
    """

    shares: dict[str, float] | None
    temperature: float | None


@dataclass(frozen=True)
class Fused:
    """One rule, solved.

    Attributes:
        logits: What it makes of the clips it was not solved on.
        weights: Task name -> what it learned.
    """

    logits: PartLogits
    weights: dict[str, Weights]


def rules_of(spec: Mapping[str, Any] | None) -> tuple[str, dict[str, FusionRule]]:
    """The chosen rule's name, and all that are compared, by name.

    Args:
        spec: class_path and init_args of the chosen rule; None is the log-linear pool.
    """
    if spec is None:
        return compared_rules(LogLinear())
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--rule", type=FusionRule)
    made = parser.instantiate(parser.parse_object({"rule": dict(spec)})).rule
    return compared_rules(cast(FusionRule, made))


def fuse(
    rules: Mapping[str, FusionRule], solve_on: Mapping[str, PartLogits], test: Mapping[str, PartLogits]
) -> dict[str, Fused]:
    """Solve each rule task by task, as a fused run does, and apply it.

    Args:
        rules: Name -> a rule; it stays as it is.
        solve_on: Branch name -> logits of the same clips in the same order.
        test: The same branches' logits of other clips.
    """
    return {name: _fuse(rule, solve_on, test) for name, rule in rules.items()}


def _fuse(rule: FusionRule, solve_on: Mapping[str, PartLogits], test: Mapping[str, PartLogits]) -> Fused:
    known, asked = (next(iter(parts.values())) for parts in (solve_on, test))
    fused, weights = {}, {}
    for task, labels in known.labels.items():
        solved, labelled = deepcopy(rule), labels != UNLABELLED
        solved.fit(stack(solve_on.values(), task)[:, labelled], labels[labelled])
        fused[task] = solved(stack(test.values(), task))
        shares = solved.shares
        named = None if shares is None else dict(zip(test, shares, strict=True))
        weights[task] = Weights(named, solved.temperature)
    return Fused(PartLogits(asked.clip_ids, fused, asked.labels), weights)
