"""Branches and rules of a run, scored together, whichever of the branches are left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from lightning_emorec.branches import Branch
from lightning_emorec.commands.stress.listen import is_text
from lightning_emorec.fusion import FusionModule, FusionRule
from lightning_emorec.metrics import score
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import UNLABELLED

Modality = Literal["audio", "text"]
MODALITIES: tuple[Modality, ...] = ("audio", "text")

METRICS = ("accuracy", "uar", "macro_f1")


@dataclass(frozen=True)
class Figures:
    """Scores under one condition and severity.

    Attributes:
        branches: Branch -> accuracy, uar, macro_f1.
        rules: The same for each rule, over these branches; empty but for a fusion.
    """

    branches: dict[str, dict[str, float]]
    rules: dict[str, dict[str, float]] = field(default_factory=dict)


class Panel:
    """Scores logits of branches, alone and fused.

    A rule over all branches of the run is the run's own. Over fewer it is solved again, on the validation
    logits of those that are left: a branch that is missing is left out, never replaced by zeros.

    Args:
        fusion: The run's model, where it is a fusion.
        task: What is scored.
        validation: Branch -> undegraded validation logits; only looked at where branches are missing.
    """

    def __init__(self, fusion: FusionModule | None, task: str, validation: Mapping[str, PartLogits]) -> None:
        self.fusion = fusion
        self.task = task
        self.validation = validation
        self._rules: dict[tuple[str, ...], dict[str, FusionRule]] = {}

    def figures(self, logits: Mapping[str, PartLogits]) -> Figures:
        """Score the branches that are there, and every rule over them."""
        labels = next(iter(logits.values())).labels[self.task]
        rows = {name: of.logits[self.task] for name, of in logits.items()}
        stacked = torch.stack(list(rows.values()))  # (branches, clips, classes)
        fused = {name: rule(stacked) for name, rule in self.rules(list(rows)).items()}
        return Figures(
            {name: _scores(values, labels) for name, values in rows.items()},
            {name: _scores(values, labels) for name, values in fused.items()},
        )

    def rules(self, names: Sequence[str]) -> dict[str, FusionRule]:
        """Every rule over some of the branches."""
        if self.fusion is None:
            return {}
        if tuple(names) not in self._rules:
            self._rules[tuple(names)] = {
                rule: self._rule(self.fusion, rule, names) for rule in self.fusion.rules
            }
        return self._rules[tuple(names)]

    def _rule(self, fusion: FusionModule, rule_name: str, names: Sequence[str]) -> FusionRule:
        own = fusion.rule(self.task, rule_name).cpu()
        every = list(fusion.specs)
        if list(names) == every:
            return own
        rule = own.restricted([every.index(name) for name in names])
        labels = self.validation[names[0]].labels[self.task]
        labelled = labels != UNLABELLED
        stacked = torch.stack([self.validation[name].logits[self.task][labelled] for name in names])
        rule.fit(stacked, labels[labelled])
        return rule


def modalities(branch: Branch) -> set[Modality]:
    """What a branch is made for: sound, words, or both."""
    texts = [is_text(feature) for feature in branch.features]
    found: set[Modality] = set()
    if any(texts):
        found.add("text")
    if branch.audio_input != "none" or not all(texts):
        found.add("audio")
    return found


def _scores(logits: Tensor, labels: Tensor) -> dict[str, float]:
    scores = score(logits, labels)
    return {metric: scores[metric] for metric in METRICS}
