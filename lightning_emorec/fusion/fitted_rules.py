"""Rules fitted to the logits of several branches, of which some may lack clips that have no audio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from lightning_emorec.fusion.log_linear import LogLinear
from lightning_emorec.fusion.rule import FusionRule
from lightning_emorec.fusion.simple_rules import Average, MaxConfidence, Weighted
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import UNLABELLED, Logits

RULES: dict[str, type[FusionRule]] = {
    "average": Average,
    "weighted": Weighted,
    "max_confidence": MaxConfidence,
    "log_linear": LogLinear,
}
"""The rules that every fusion is compared over."""

MOST_GROUPS = 10
"""A corpus may have hundreds of validation actors, and solving a rule for each would take minutes."""


def compared_rules(rule: FusionRule) -> tuple[str, dict[str, FusionRule]]:
    """The name of the chosen rule, and the rules that it is compared with, itself among them."""
    chosen = next((name for name, kind in RULES.items() if type(rule) is kind), type(rule).__name__)
    return chosen, {**{name: kind() for name, kind in RULES.items()}, chosen: rule}


class FittedRules:
    """Several rules over the same branches, each fitted task by task.

    Where only some of the branches need audio, each rule is fitted once more to the others alone: clips without
    audio are fused by that.

    Args:
        rules: Name -> rule; copies are fitted.
        tasks: Names of the tasks.
        needs_audio: Branch name -> whether a clip without audio has no logits of it. Its order is that of the rules'
            weights.

    Attributes:
        rules: Rule name -> task -> rule, for clips with audio.
        rules_without_audio: The same for clips without, over the branches that need none.
    """

    def __init__(
        self, rules: Mapping[str, FusionRule], tasks: Sequence[str], needs_audio: Mapping[str, bool]
    ) -> None:
        self.rules, self.rules_without_audio = (
            nn.ModuleDict(
                {
                    name: nn.ModuleDict({task: deepcopy(rule) for task in tasks})
                    for name, rule in rules.items()
                }
            )
            for _ in range(2)
        )
        self.tasks = list(tasks)
        self.needs_audio = dict(needs_audio)

    def rule(self, name: str, task: str) -> FusionRule:
        """The rule of a task, for clips with audio."""
        return cast(FusionRule, cast(nn.ModuleDict, self.rules[name])[task])

    def shares(self, name: str, task: str) -> dict[str, float] | None:
        """Branch name -> weight in a rule, summing to 1; None where the rule has none."""
        shares = self.rule(name, task).shares
        return None if shares is None else dict(zip(self.needs_audio, shares, strict=True))

    def fit(self, parts: Mapping[str, PartLogits]) -> None:
        """Fit every rule.

        Args:
            parts: Branch name -> logits of the clips that the branch takes.
        """
        for task in self.tasks:
            logits, labels, has_audio = self._stacked(parts, task)
            known = labels != UNLABELLED
            for name in self.rules:
                without = fit_rule(
                    self.rule(name, task), logits[:, known], labels[known], has_audio[known], self._audio_free
                )
                if without is not None:
                    cast(nn.ModuleDict, self.rules_without_audio[name])[task] = without

    def restricted(self, branches: Sequence[str], parts: Mapping[str, PartLogits]) -> FittedRules:
        """The rules with the same options, fitted to some of the branches alone.

        Args:
            branches: Their names, in the order of the new weights.
            parts: As in `fit`.
        """
        places = [list(self.needs_audio).index(name) for name in branches]
        made = FittedRules({}, self.tasks, {name: self.needs_audio[name] for name in branches})
        for name in self.rules:
            for rules in (made.rules, made.rules_without_audio):
                rules[name] = nn.ModuleDict(
                    {task: self.rule(name, task).restricted(places) for task in self.tasks}
                )
        made.fit(parts)
        return made

    def fuse(self, logits: Mapping[str, Logits], name: str, has_audio: Tensor | None = None) -> Logits:
        """Fuse logits of the same clips by one of the rules: task -> (clips, classes).

        Args:
            logits: Branch name -> task -> (clips, classes).
            name: The rule's.
            has_audio: (clips,) bool; where it is false, branches that need audio count nothing, whatever their
                logits. None means all true.
        """
        return {
            task: fuse_rule(
                self.rule(name, task),
                cast(FusionRule, cast(nn.ModuleDict, self.rules_without_audio[name])[task]),
                torch.stack([logits[branch][task].float() for branch in self.needs_audio]),
                has_audio,
                self._audio_free,
            )
            for task in self.tasks
        }

    def fuse_parts(self, parts: Mapping[str, PartLogits]) -> dict[str, PartLogits]:
        """Rule name -> fused logits of all clips that some branch takes; `parts` as in `fit`."""
        whole, logits, has_audio = self._aligned(parts)
        return {
            name: PartLogits(whole.clip_ids, self.fuse(logits, name, has_audio), whole.labels)
            for name in self.rules
        }

    def across_actors(
        self, name: str, parts: Mapping[str, PartLogits], actors: Mapping[str, str]
    ) -> PartLogits:
        """What `fuse_across_actors` makes of a part by one of the rules.

        Args:
            name: The rule's.
            parts: As in `fit`.
            actors: Clip id -> its actor; at least two different ones.
        """
        whole = self._widest(parts)
        fused = {}
        for task in self.tasks:
            logits, labels, has_audio = self._stacked(parts, task)
            spoken_by = [actors[clip] for clip in whole.clip_ids]
            fused[task] = fuse_across_actors(
                self.rule(name, task), logits, labels, has_audio, self._audio_free, spoken_by
            )
        return PartLogits(whole.clip_ids, fused, whole.labels)

    @property
    def _audio_free(self) -> list[int]:
        """Places of the branches that need no audio."""
        return [place for place, needed in enumerate(self.needs_audio.values()) if not needed]

    def _widest(self, parts: Mapping[str, PartLogits]) -> PartLogits:
        """The part of a branch that takes the most clips."""
        return max((parts[name] for name in self.needs_audio), key=lambda part: len(part.clip_ids))

    def _aligned(self, parts: Mapping[str, PartLogits]) -> tuple[PartLogits, dict[str, Logits], Tensor]:
        """The part of a branch that takes all clips, the logits of all branches for these, and which have audio."""
        whole = self._widest(parts)
        taken = {name: set(parts[name].clip_ids) for name in self.needs_audio}
        rows = {name: torch.tensor([clip in taken[name] for clip in whole.clip_ids]) for name in taken}
        has_audio = torch.ones(len(whole.clip_ids), dtype=torch.bool)
        for name, needed in self.needs_audio.items():
            if needed:
                has_audio &= rows[name]
        return whole, {name: at_rows(parts[name].logits, rows[name]) for name in rows}, has_audio

    def _stacked(self, parts: Mapping[str, PartLogits], task: str) -> tuple[Tensor, Tensor, Tensor]:
        """(branches, clips, classes) logits, (clips,) labels, and (clips,) bool, which have audio."""
        whole, logits, has_audio = self._aligned(parts)
        stacked = torch.stack([logits[name][task].float() for name in self.needs_audio])
        return stacked, whole.labels[task], has_audio


def fuse_across_actors(
    rule: FusionRule,
    logits: Tensor,
    labels: Tensor,
    has_audio: Tensor,
    audio_free: Sequence[int],
    actors: Sequence[str],
) -> Tensor:
    """Fuse the clips of each actor by a rule fitted to the clips of the others.

    A rule scored on the clips that it was fitted to looks better than it is, the more so the freer it is: choosing
    a ridge or a bias by that score would always choose the freest.

    Args:
        rule: Left as it is; copies are fitted.
        logits: (branches, clips, classes).
        labels: (clips,) class indices or `UNLABELLED`.
        has_audio: (clips,) bool.
        audio_free: Places of the branches that need no audio.
        actors: (clips,) who speaks; at least two different ones. Of more than `MOST_GROUPS` actors, several are left
            out at a time.

    Returns:
        (clips, classes) log-probabilities.
    """
    from sklearn.model_selection import GroupKFold

    fused = logits.new_empty(logits.shape[1:])
    folds = GroupKFold(min(MOST_GROUPS, len(set(actors))))
    for others, own in folds.split(np.zeros(len(actors)), groups=actors):
        learned, judged = torch.from_numpy(others), torch.from_numpy(own)
        learned = learned[labels[learned] != UNLABELLED]
        copy = deepcopy(rule)
        without = fit_rule(copy, logits[:, learned], labels[learned], has_audio[learned], audio_free)
        fused[judged] = fuse_rule(copy, without, logits[:, judged], has_audio[judged], audio_free)
    return fused


def fit_rule(
    rule: FusionRule, logits: Tensor, labels: Tensor, has_audio: Tensor, audio_free: Sequence[int]
) -> FusionRule | None:
    """Fit a rule to the clips that all branches take, and a second one for clips without audio.

    Args:
        rule: To be fitted.
        logits: (branches, clips, classes).
        labels: (clips,) class indices, none of them `UNLABELLED`.
        has_audio: (clips,) bool.
        audio_free: Places of the branches that need no audio.

    Returns:
        The rule for clips without audio, over the branches that need none; None where all branches do, or none.
    """
    rule.fit(logits[:, has_audio], labels[has_audio])
    if not 0 < len(audio_free) < len(logits):
        return None
    without = rule.restricted(list(audio_free))
    without.fit(logits[list(audio_free)], labels)
    return without


def fuse_rule(
    rule: FusionRule,
    without: FusionRule | None,
    logits: Tensor,
    has_audio: Tensor | None,
    audio_free: Sequence[int],
) -> Tensor:
    """Fuse by what `fit_rule` fitted: (branches, clips, classes) -> (clips, classes).

    Args:
        rule: For clips with audio.
        without: For clips without.
        logits: (branches, clips, classes).
        has_audio: (clips,) bool; None means all true.
        audio_free: Places of the branches that need no audio.
    """
    if without is None or has_audio is None or has_audio.all() or len(audio_free) == len(logits):
        fused: Tensor = rule(logits)
        return fused
    fused = logits.new_empty(logits.shape[1:])
    fused[has_audio] = rule(logits[:, has_audio])
    fused[~has_audio] = without(logits[list(audio_free)][:, ~has_audio])
    return fused


def at_rows(logits: Logits, kept: Tensor) -> Logits:
    """Put rows where `kept`, (clips,) bool, is true, and zeros elsewhere: task -> (clips, classes).

    The zeros only hold the place: a rule must not be given them.
    """
    places = kept.nonzero().flatten()
    return {
        task: rows.new_zeros(len(kept), rows.shape[1]).index_copy(0, places, rows)
        for task, rows in logits.items()
    }
