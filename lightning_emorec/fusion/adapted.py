"""A fusion or a single model, adapted to speakers: rules and confidence for each number of known clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from statistics import median_low
from typing import cast

import torch
from torch import Tensor

from lightning_emorec.confidence import Confidence
from lightning_emorec.fusion.fitted_rules import FittedRules
from lightning_emorec.fusion.founding import found_confidence, out_of_actor
from lightning_emorec.fusion.known_clips import DrawnClips, Scores, adapted_parts, clips_of_speakers
from lightning_emorec.fusion.rule import log_probabilities
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.speaker_scores import (
    SpeakerScores,
    mean_by_label,
    speakers_vary,
    variance_ratio,
)
from lightning_emorec.types import Logits

GRID = (1, 2, 4, 8, 16)
"""Numbers of known clips for which a rule is solved, and beside them all other clips of a validation actor."""

SEED = 0
"""Of the validation clips that are drawn as known ones."""


@dataclass(frozen=True, eq=False)
class AdaptedMode:
    """A model as it is with so many known clips of a speaker.

    Attributes:
        clips: How many clips of a validation actor were known.
        parts: Branch -> its validation logits, adapted; those of each actor by what is learned from the others.
        fitted: The rule solved on these; None of a single model.
        rule: Its name.
        actors: Validation clip -> actor.
    """

    clips: int
    parts: dict[str, PartLogits]
    fitted: FittedRules | None
    rule: str
    actors: Mapping[str, str]

    @cache  # noqa: B019 - there are as many as modes and tasks
    def confidence(self, task: str) -> Confidence | None:
        """How far the probabilities of a task go; None where there is one validation actor only."""
        if self.fitted is None:
            part: PartLogits | None = next(iter(self.parts.values()))
        else:
            part = out_of_actor(self.fitted, self.rule, self.parts, self.actors)
        return None if part is None else found_confidence(part, task, self.actors)


@dataclass(frozen=True, eq=False)
class SpeakerAdaptation:
    """What adapts a model to speakers, by its validation logits; a mode is solved when it is first asked for.

    Attributes:
        parts: Branch -> its unadapted validation logits; of a single model, its name -> its; empty where none are kept.
        actors: Validation clip -> actor.
        fitted: The rules of the unadapted fusion; None of a single model.
        rule: Name of the one that fuses.
    """

    parts: Mapping[str, PartLogits]
    actors: Mapping[str, str]
    fitted: FittedRules | None = None
    rule: str = ""

    @cached_property
    def grid(self) -> list[int]:
        """Numbers of known clips that there are modes for: those that half of the validation actors have.

        An actor who has fewer is adapted by those in all modes.
        """
        others = [len(clips) - 1 for clips in self._speakers.values()]
        most = median_low(others) if others else 0
        return [*(k for k in GRID if k < most), most] if most else []

    def mode(self, known: int) -> AdaptedMode | None:
        """That of the largest number of clips in the grid that is not above `known`; None where nothing founds it."""
        fitting = [k for k in self.grid if k <= known]
        if not fitting:
            return None
        return self._solved(fitting[-1])

    def scores(self, parts: Mapping[str, PartLogits]) -> Scores:
        """What adaptation takes of clips of new speakers, from their unadapted logits.

        Branch -> task -> its scores. A branch without scores of its own is adapted in its log-probabilities, by what is
        learned from the validation clips.
        """
        return {
            name: part.speakers or (logits_scores(part, self.parts[name], self.actors) if self.parts else {})
            for name, part in parts.items()
        }

    def adapted(
        self, parts: Mapping[str, PartLogits], known: DrawnClips, scores: Scores | None = None
    ) -> dict[str, PartLogits]:
        """Branch -> its logits, each clip adapted by those that are known of its speaker.

        Args:
            parts: Branch -> unadapted logits.
            known: Which clips are known.
            scores: What `scores` gives of the parts, where that is at hand.
        """
        return adapted_parts(parts, scores or self.scores(parts), known)

    def fused(self, parts: Mapping[str, PartLogits], counts: Mapping[str, int]) -> PartLogits:
        """Adapted logits of the branches, fused by the rule of each clip's mode; those of a single model as they are.

        Args:
            parts: Branch -> its adapted logits.
            counts: Clip -> how many clips are known; 0 for those that are not named.
        """
        if self.fitted is None:
            return next(iter(parts.values()))
        by_number = {number: self._rules(number) for number in {0, *counts.values()}}
        clips = (clip for part in parts.values() for clip in part.clip_ids)
        rules = {clip: by_number[counts.get(clip, 0)] for clip in clips}
        made = {fitted: fitted.fuse_parts(parts)[self.rule] for fitted in dict.fromkeys(rules.values())}
        whole = next(iter(made.values()))
        for fitted, part in made.items():
            rows = [row for row, clip in enumerate(part.clip_ids) if rules[clip] is fitted]
            for task, logits in part.logits.items():
                whole.logits[task][rows] = logits[rows]
        return whole

    def fuse(self, logits: Mapping[str, Logits], known: int) -> Logits:
        """As `fused`, of the logits of clips of one speaker, of whom `known` clips are known."""
        return (
            next(iter(logits.values())) if self.fitted is None else self._rules(known).fuse(logits, self.rule)
        )

    def _rules(self, known: int) -> FittedRules:
        mode = self.mode(known)
        return cast(FittedRules, self.fitted if mode is None or mode.fitted is None else mode.fitted)

    @cached_property
    def _speakers(self) -> dict[str, list[str]]:
        return clips_of_speakers(self.parts, self.actors)

    @cached_property
    def _validation_scores(self) -> Scores:
        """The scores of each validation actor, by what is learned from the others."""
        return {name: part.speakers or self._out_of_actor(part) for name, part in self.parts.items()}

    def _out_of_actor(self, part: PartLogits) -> dict[str, SpeakerScores]:
        order, found = [], []
        for actor in dict.fromkeys(self.actors[clip] for clip in part.clip_ids):
            own = [clip for clip in part.clip_ids if self.actors[clip] == actor]
            others = [clip for clip in part.clip_ids if self.actors[clip] != actor]
            if not others:
                return {}
            order += own
            found.append(logits_scores(part.select(own), part.select(others), self.actors))
        place = {clip: row for row, clip in enumerate(order)}
        rows = [place[clip] for clip in part.clip_ids]
        return {task: SpeakerScores.join([of[task] for of in found]).rows(rows) for task in found[0]}

    @cache  # noqa: B019 - there are as many as the grid has numbers
    def _solved(self, clips: int) -> AdaptedMode:
        known = DrawnClips(self._speakers, clips, SEED)
        parts = self.adapted(self.parts, known, self._validation_scores)
        fitted = None
        if self.fitted is not None:
            first = self.fitted.rule(self.rule, self.fitted.tasks[0])
            fitted = FittedRules({self.rule: first}, self.fitted.tasks, self.fitted.needs_audio)
            fitted.fit(parts)
        return AdaptedMode(clips, parts, fitted, self.rule, self.actors)


def logits_scores(
    part: PartLogits, learned: PartLogits, actors: Mapping[str, str]
) -> dict[str, SpeakerScores]:
    """What adaptation takes of clips of which logits alone are known, by task.

    Args:
        part: The clips.
        learned: Clips of other speakers, with labels.
        actors: Of the latter, clip -> actor.
    """
    speakers = [actors[clip] for clip in learned.clip_ids]
    found = {}
    for task, logits in part.logits.items():
        known, labels = log_probabilities(learned.logits[task]), learned.labels[task]
        effects, prior = mean_by_label(known, labels, known.shape[1])
        ratio = variance_ratio(known, speakers) if speakers_vary(labels, speakers) else float("inf")
        scores, shares = log_probabilities(logits), logits.softmax(dim=1)
        found[task] = SpeakerScores(
            scores=scores[:, None, None],
            centre=_repeated(known.mean(dim=0)[None], len(logits)),
            effects=(shares @ effects)[:, None],
            shares=shares,
            prior=_repeated(prior, len(logits)),
            ratio=torch.full((len(logits),), ratio),
        )
    return found


def _repeated(values: Tensor, times: int) -> Tensor:
    return values.expand(times, *values.shape)
