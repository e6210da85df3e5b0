"""Scores of the branches and rules of a run, over all or some of the branches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lightning_emorec.branches import Branch
from lightning_emorec.features import Feature, Transcript, VaderScores
from lightning_emorec.fusion import FittedRules, FusionModule
from lightning_emorec.metrics import score
from lightning_emorec.part_logits import PartLogits

Modality = Literal["audio", "text"]
MODALITIES: tuple[Modality, ...] = ("audio", "text")

METRICS = ("accuracy", "uar", "macro_f1")


@dataclass(frozen=True)
class Figures:
    """Scores under one condition and severity.

    Attributes:
        branches: Branch -> accuracy, uar, macro_f1.
        rules: Rule over these branches -> the same; empty for a single model.
    """

    branches: dict[str, dict[str, float]]
    rules: dict[str, dict[str, float]] = field(default_factory=dict)


class Scorer:
    """Scores logits of branches, alone and fused.

    Over all branches of the run, a rule is the run's rule. Over fewer, it is solved again on the validation logits of
    the remaining branches: a missing branch is left out, not replaced by zeros.

    Args:
        fusion: The run's model if it is a fusion.
        task: The scored task.
        validation: Branch -> undegraded validation logits; used only if branches are missing.
    """

    def __init__(self, fusion: FusionModule | None, task: str, validation: Mapping[str, PartLogits]) -> None:
        self.fusion = fusion
        self.task = task
        self.validation = validation
        self._rules: dict[tuple[str, ...], FittedRules] = {}

    def figures(self, logits: Mapping[str, PartLogits]) -> Figures:
        """Score the given branches, and every rule over them."""
        rules = self.rules(list(logits))
        return Figures(
            {name: self._scores(part) for name, part in logits.items()},
            {name: self._scores(part) for name, part in rules.fuse_parts(logits).items()} if rules else {},
        )

    def output(self, logits: Mapping[str, PartLogits]) -> PartLogits:
        """The model's logits: those of its rule over the given branches, or of its only branch."""
        rules = self.rules(list(logits))
        if self.fusion is None or rules is None:
            return next(iter(logits.values()))
        return rules.fuse_parts(logits)[self.fusion.rule_name]

    def rules(self, names: Sequence[str]) -> FittedRules | None:
        """All rules over some of the branches; None for a single model."""
        if self.fusion is None:
            return None
        if list(names) == list(self.fusion.specs):
            return self.fusion.fitted
        if tuple(names) not in self._rules:
            self._rules[tuple(names)] = self.fusion.fitted.restricted(names, self.validation)
        return self._rules[tuple(names)]

    def _scores(self, part: PartLogits) -> dict[str, float]:
        scores = score(part.logits[self.task], part.labels[self.task])
        return {metric: scores[metric] for metric in METRICS}


def modalities(branch: Branch) -> set[Modality]:
    """The modalities that a branch uses."""
    texts = [is_text(feature) for feature in branch.features]
    found: set[Modality] = set()
    if any(texts):
        found.add("text")
    if branch.audio_input != "none" or not all(texts):
        found.add("audio")
    return found


def is_text(feature: Feature) -> bool:
    """Whether a feature is computed from text."""
    return isinstance(feature, Transcript | VaderScores)
