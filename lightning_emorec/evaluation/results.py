"""What is evaluated: the logits of named systems, fold by fold, and the facts that a reader needs beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any, Literal

from lightning_emorec.audio import Counts
from lightning_emorec.confidence import Confidence
from lightning_emorec.evaluation.formats import actor_list, count
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import UNLABELLED, Clip, Part, Tasks

PartResults = dict[Part, PartLogits]
"""Validation logits; test logits where it was tested; training logits where they were asked for."""

PART_NAMES: dict[Part, str] = {"train": "training", "val": "validation", "test": "test"}

Way = Literal["val", "oof"]
"""What the rules of a cross-validation were solved on: one validation split, or out-of-fold logits."""

WAY_NAMES: dict[Way, str] = {"val": "validation split", "oof": "out of fold"}


@dataclass(frozen=True)
class System:
    """Something that is scored.

    Attributes:
        name: Of the branch, the rule or the model.
        kind: `model` is a run that fuses nothing.
        way: What a rule of a cross-validation was solved on.
    """

    name: str
    kind: Literal["model", "branch", "rule"] = "branch"
    way: Way | None = None


BeforeRefit = dict[System, PartLogits]
"""Test logits of the system that the choices were made on, whose training did not see validation clips."""


@dataclass(frozen=True)
class Weights:
    """What a rule learned for one task.

    Attributes:
        shares: Branch name -> weight, summing to 1; None where the rule has none.
        temperature: 1 / sum of the free weights; None where the rule learns no scale.
    """

    shares: dict[str, float] | None
    temperature: float | None


@dataclass(frozen=True)
class Fold:
    """What a `fit` of one fold with one seed found; a run by itself is one fold.

    Attributes:
        logits: System -> part -> logits; branches before rules.
        actors: Part -> its actors, in order.
        weights: Rule -> task -> what it learned.
        seed: Its seed.
        index: Number of the fold.
        solved_on: Way -> number of clips that the rules were solved on.
        confidence: Of the chosen system for the first task; None where no validation logits found it.
        seconds: Stage -> wall time.
        versions: Package -> version, and `python`, `device`.
    """

    logits: dict[System, PartResults]
    actors: dict[Part, list[str]]
    weights: dict[System, dict[str, Weights]] = field(default_factory=dict)
    seed: int = 0
    index: int = 0
    solved_on: dict[Way, int] = field(default_factory=dict)
    confidence: Confidence | None = field(default=None, compare=False)
    seconds: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Results:
    """What is evaluated.

    Attributes:
        name: Of the folder.
        tasks: Task name -> class names; the first is the headline.
        clips: The clips of the evaluated parts by id.
        folds: By seed and then fold.
        chosen: The system that is the model.
        left_out: Branch name -> why it was not fused.
        synthetic: The audio is generated: everything shown must say so.
        config: The resolved config, as YAML.
        warnings: What a reader of the figures must know, decided before training: sentences without full stop.
        before_refit: Empty where there is nothing to compare a refit with.
    """

    name: str
    tasks: Tasks
    clips: dict[str, Clip]
    folds: list[Fold]
    chosen: System
    left_out: dict[str, str] = field(default_factory=dict)
    synthetic: bool = False
    config: str = ""
    warnings: list[str] = field(default_factory=list)
    before_refit: BeforeRefit = field(default_factory=dict)

    @property
    def task(self) -> str:
        """The first, which everything is judged by."""
        return next(iter(self.tasks))

    @property
    def part(self) -> Part:
        """The judged part: `test` where there was a test, else `val`."""
        return "test" if "test" in self.folds[0].logits[self.chosen] else "val"

    @property
    def is_judged(self) -> bool:
        """Whether there are test or validation clips; a refit has none where it is not tested."""
        return self.part in self.folds[0].logits[self.chosen]

    @property
    def is_fusion(self) -> bool:
        """Whether the model is a rule over branches."""
        return self.chosen.kind == "rule"

    @property
    def systems(self) -> list[System]:
        """Branches, then rules; of a cross-validation, those of the validation split first."""
        return list(self.folds[0].logits)

    @property
    def branches(self) -> list[System]:
        """The systems that are branches."""
        return [system for system in self.systems if system.kind == "branch"]

    @property
    def rules(self) -> list[System]:
        """The systems that are rules."""
        return [system for system in self.systems if system.kind == "rule"]

    @property
    def seeds(self) -> list[int]:
        """In order."""
        return list(dict.fromkeys(fold.seed for fold in self.folds))

    def of(self, seed: int) -> list[Fold]:
        """The folds of a seed."""
        return [fold for fold in self.folds if fold.seed == seed]

    def pooled(self, system: System, seed: int) -> PartLogits:
        """Logits of all clips of the judged part, each from the fold that it was judged in."""
        parts = [fold.logits[system][self.part] for fold in self.of(seed)]
        return parts[0] if len(parts) == 1 else PartLogits.join(parts)

    def label(self, system: System) -> str:
        """What tells a system from the others, such as `log_linear (out of fold)`."""
        if system.kind == "model":
            return PART_NAMES[self.part]
        if system.way:
            return f"{system.name} ({WAY_NAMES[system.way]})"
        taken = system.kind == "rule" and System(system.name) in self.systems
        return f"{system.name} (rule)" if taken else system.name

    @property
    def model_name(self) -> str:
        """What a warning calls the model."""
        return self.label(self.chosen)

    @property
    def headline(self) -> list[str]:
        """What the title of a table says: name, what was judged, and on what."""
        raise NotImplementedError

    def pairs(self, best_branch: str | None) -> list[tuple[str, str]]:
        """The systems that are tested against each other, by label: every two."""
        return list(combinations([self.label(system) for system in self.systems], 2))


@dataclass(frozen=True)
class RunResults(Results):
    """What one run found, in one fold.

    Attributes:
        model: `FusionModule` or the branch's class.
        clip_counts: Part -> number of clips.
        absent_test_actors: Test actors that the corpus lacks; the run then has no test.
        parameters: Trained and frozen weights of the model.
        texts: Clip of the judged part -> what the model read of it; empty for a model that reads nothing.
        across_actors: Task name -> validation scores of a fusion where each actor is fused by what is learned from
            the others.
        skipped: Clip -> what is wrong with its audio, of those that `data.on_error: skip` left out.
        audio: What was found in the audio that the model takes, and done to it; None where it takes none.
        judged_by: Of a model that is judged on the tasks and classes it shares with the corpus: which, and what is not
            judged; else empty.
        refits: Branch name, or that of the run itself -> `folder` and `epochs` of its refit.
    """

    model: str = ""
    clip_counts: dict[Part, int] = field(default_factory=dict)
    absent_test_actors: list[str] = field(default_factory=list)
    parameters: int = 0
    texts: dict[str, str] = field(default_factory=dict)
    across_actors: dict[str, dict[str, float]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    audio: Counts | None = None
    judged_by: dict[str, Any] = field(default_factory=dict)
    refits: dict[str, dict[str, Any]] = field(default_factory=dict)

    @cached_property
    def fold(self) -> Fold:
        """The only one."""
        (fold,) = self.folds
        return fold

    @property
    def model_name(self) -> str:
        """The class of the model."""
        return self.model

    @property
    def headline(self) -> list[str]:
        """As in `fused`, `emotion on TEST`, `360 clips of 4 actors`."""
        return [self.name, f"{self.task} on {self.judged_part}", self.judged_size]

    @property
    def judged_part(self) -> str:
        """`TEST`, or `VALIDATION` and why there was no test."""
        if self.part == "test":
            return "TEST"
        absent = self.absent_test_actors
        why = f"test actors absent: {actor_list(absent)}" if absent else "not tested"
        return f"VALIDATION ({why}{', before the refit' if self.refitted else ''})"

    @property
    def judged_size(self) -> str:
        """How many clips of how many actors the scores rest on."""
        clips = int((self.output[self.part].labels[self.task] != UNLABELLED).sum())
        return f"{clips} clips of {count(len(self.fold.actors[self.part]), 'actor')}"

    @property
    def output(self) -> PartResults:
        """The model's own logits."""
        return self.fold.logits[self.chosen]

    @property
    def learned(self) -> Weights | None:
        """What the chosen rule learned for the first task; None but for a fusion."""
        return self.fold.weights[self.chosen][self.task] if self.is_fusion else None

    @property
    def refitted(self) -> bool:
        """Whether this is a fusion over refitted branches; its validation figures are of those before."""
        return bool(self.refits) and self.is_fusion

    @property
    def learned_from(self) -> list[str]:
        """Actors that the model, as it is on the judged part, was trained on."""
        joined = self.refitted and self.part == "test"
        return [*self.fold.actors["train"], *(self.fold.actors["val"] if joined else [])]


def wall_s(metrics: Mapping[str, Any]) -> float:
    """Seconds by the clock that a run took, from its metrics.json: branches count once, and not each by itself."""
    seconds: Mapping[str, float] = metrics["seconds"]
    return sum(spent for stage, spent in seconds.items() if not stage.startswith("branch "))
