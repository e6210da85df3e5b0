"""The input of an evaluation: logits of named systems in each fold, and facts for the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

from lightning_emorec.confidence import Confidence
from lightning_emorec.evaluation.formats import actor_list, count
from lightning_emorec.types import UNLABELLED, Clip, Part, Tasks

if TYPE_CHECKING:
    from lightning_emorec.audio import Counts
    from lightning_emorec.fusion import SpeakerAdaptation
    from lightning_emorec.part_logits import PartLogits

PartResults = dict[Part, "PartLogits"]
"""Validation logits, test logits if tested, training logits with `score_training`."""

PART_NAMES: dict[Part, str] = {"train": "training", "val": "validation", "test": "test"}

Way = Literal["val", "oof"]
"""The clips that rules of a cross-validation were solved on: one validation split, or out of fold."""

WAY_NAMES: dict[Way, str] = {"val": "validation split", "oof": "out of fold"}


@dataclass(frozen=True)
class System:
    """A branch, a rule or a single model that is scored.

    Attributes:
        name: Name of the branch, the rule or the model.
        kind: `model` is a single model without fusion.
        way: For a rule of a cross-validation.
    """

    name: str
    kind: Literal["model", "branch", "rule"] = "branch"
    way: Way | None = None


BeforeRefit = dict[System, "PartLogits"]
"""Test logits before the refit, of systems that were not trained on validation clips."""


@dataclass(frozen=True)
class Weights:
    """The learned weights of a rule for one task.

    Attributes:
        shares: Branch name -> weight, summing to 1; None for a rule without weights.
        temperature: 1 / sum of the free weights; None for a rule without a scale.
    """

    shares: dict[str, float] | None
    temperature: float | None


@dataclass(frozen=True)
class Fold:
    """Results of a `fit` of one fold with one seed; a single run is one fold.

    Attributes:
        logits: System -> part -> logits; branches before rules.
        actors: Part -> its actors, in order.
        weights: Rule -> task -> learned weights.
        seed: The seed.
        index: Number of the fold.
        solved_on: Way -> number of clips that the rules were solved on.
        confidence: Of the chosen system for the first task; None without validation logits.
        adaptation: What adapts the model to speakers; None for a model that is not adapted.
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
    adaptation: SpeakerAdaptation | None = field(default=None, compare=False)
    seconds: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Results:
    """The input of an evaluation.

    Attributes:
        name: Name of the folder.
        tasks: Task name -> class names; the first task is evaluated in full.
        clips: The clips of the evaluated parts by id.
        folds: Sorted by seed and then fold.
        chosen: The system that is the model.
        left_out: Branch name -> the reason why it was not fused.
        synthetic: Whether the audio is generated, which every report must state.
        config: The resolved config, as YAML.
        warnings: Caveats known before training: sentences without a full stop.
        before_refit: Empty without a refit.
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
        """The first task."""
        return next(iter(self.tasks))

    @property
    def part(self) -> Part:
        """The evaluated part: `test` if the run was tested, else `val`."""
        return "test" if "test" in self.folds[0].logits[self.chosen] else "val"

    @property
    def is_judged(self) -> bool:
        """Whether there are test or validation clips; a refit that is not tested has none."""
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
        """All seeds, in order."""
        return list(dict.fromkeys(fold.seed for fold in self.folds))

    def of(self, seed: int) -> list[Fold]:
        """The folds of a seed."""
        return [fold for fold in self.folds if fold.seed == seed]

    def pooled(self, system: System, seed: int) -> PartLogits:
        """Logits of all clips of the evaluated part, pooled over folds."""
        parts = [fold.logits[system][self.part] for fold in self.of(seed)]
        return parts[0] if len(parts) == 1 else parts[0].join(parts)

    def label(self, system: System) -> str:
        """A unique label of a system, such as `log_linear (out of fold)`."""
        if system.kind == "model":
            return PART_NAMES[self.part]
        if system.way:
            return f"{system.name} ({WAY_NAMES[system.way]})"
        taken = system.kind == "rule" and System(system.name) in self.systems
        return f"{system.name} (rule)" if taken else system.name

    @property
    def model_name(self) -> str:
        """The name of the model in warnings."""
        return self.label(self.chosen)

    @property
    def headline(self) -> list[str]:
        """Parts of a table's title: name, and what was evaluated on which clips."""
        raise NotImplementedError

    def pairs(self, best_branch: str | None) -> list[tuple[str, str]]:
        """Labels of the pairs of systems to test against each other: every two."""
        return list(combinations([self.label(system) for system in self.systems], 2))


@dataclass(frozen=True)
class RunResults(Results):
    """Results of one run, in one fold.

    Attributes:
        model: `FusionModule` or the branch's class.
        clip_counts: Part -> number of clips.
        absent_test_actors: Test actors that the corpus lacks; the run then has no test.
        parameters: Number of trained and frozen weights of the model.
        texts: Clip of the evaluated part -> transcript that the model read; empty for a model without text input.
        across_actors: Task name -> validation scores of a fusion with leave-one-actor-out weights.
        skipped: Clip -> error in its audio, for the clips that `data.on_error: skip` left out.
        audio: What was found in the audio that the model takes, and done to it; None where it takes none.
        judged_by: Of a model evaluated on the tasks and classes that it shares with the corpus: these, and what is left
            out; else empty.
        refits: Name of the branch, or of the run itself -> `folder` and `epochs` of its refit.
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
        """The only fold."""
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
        """`TEST`, or `VALIDATION` and the reason why there was no test."""
        if self.part == "test":
            return "TEST"
        absent = self.absent_test_actors
        why = f"test actors absent: {actor_list(absent)}" if absent else "not tested"
        return f"VALIDATION ({why}{', before the refit' if self.refitted else ''})"

    @property
    def judged_size(self) -> str:
        """Number of evaluated clips and actors."""
        clips = int((self.output[self.part].labels[self.task] != UNLABELLED).sum())
        return f"{clips} clips of {count(len(self.fold.actors[self.part]), 'actor')}"

    @property
    def output(self) -> PartResults:
        """The model's own logits."""
        return self.fold.logits[self.chosen]

    @property
    def learned(self) -> Weights | None:
        """The learned weights of the chosen rule for the first task; None without a fusion."""
        return self.fold.weights[self.chosen][self.task] if self.is_fusion else None

    @property
    def refitted(self) -> bool:
        """Whether this is a fusion of refitted branches; its validation scores are those before the refit."""
        return bool(self.refits) and self.is_fusion

    @property
    def learned_from(self) -> list[str]:
        """Actors that the model which is evaluated was trained on."""
        joined = self.refitted and self.part == "test"
        return [*self.fold.actors["train"], *(self.fold.actors["val"] if joined else [])]


def wall_s(metrics: Mapping[str, Any]) -> float:
    """Wall time of a run in seconds, from its metrics.json; branches trained in parallel are not added up."""
    seconds: Mapping[str, float] = metrics["seconds"]
    return sum(spent for stage, spent in seconds.items() if not stage.startswith("branch "))
