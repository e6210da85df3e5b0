"""Solves every rule on the logits of some clips, and applies it to those of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from jsonargparse import ArgumentParser

from lightning_emorec.fusion import FittedRules, FusionRule, LogLinear, compared_rules
from lightning_emorec.part_logits import PartLogits


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
    tasks = list(next(iter(solve_on.values())).logits)
    fitted = FittedRules(rules, tasks, dict.fromkeys(test, True))  # all clips have logits of every branch
    fitted.fit(solve_on)
    return {
        name: Fused(logits, {task: _weights(fitted.rule(name, task), list(test)) for task in tasks})
        for name, logits in fitted.fuse_parts(test).items()
    }


def _weights(rule: FusionRule, branches: list[str]) -> Weights:
    shares = rule.shares
    return Weights(None if shares is None else dict(zip(branches, shares, strict=True)), rule.temperature)
