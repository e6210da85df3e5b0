"""All that a finished run found, in one value that files, table and report are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lightning_emorec.metrics import Scores, score_part
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import Clip, Part, Tasks

PartResults = dict[Part, PartLogits]
"""Validation logits; test logits where it was tested; training logits where they were asked for."""


@dataclass(frozen=True)
class FusionSummary:
    """The chosen rule and what it learned for the first task.

    Attributes:
        rule: Name of the rule.
        weights: Branch name -> share, summing to 1; None where the rule has none.
        temperature: 1 / sum of the free weights; None where the rule learns no scale.
    """

    rule: str
    weights: dict[str, float] | None
    temperature: float | None


@dataclass(frozen=True)
class BeforeRefit:
    """Test logits of the system that the choices were made on, whose training did not see validation clips.

    Attributes:
        output: The model's own.
        branches: Branch name -> its logits; empty but for a fusion.
        rules: Rule name -> its logits; empty but for a fusion.
    """

    output: PartLogits
    branches: dict[str, PartLogits] = field(default_factory=dict)
    rules: dict[str, PartLogits] = field(default_factory=dict)

    def metrics(self) -> dict[str, Any]:
        """Its scores, in the shape of those of the run."""
        return {
            "test": score_part(self.output),
            "branches": {name: _scores({"test": logits}) for name, logits in self.branches.items()},
            "rules": {name: _scores({"test": logits}) for name, logits in self.rules.items()},
        }


@dataclass(frozen=True)
class RunResults:
    """What a run found.

    Attributes:
        name: Of the run folder.
        model: `FusionModule` or the branch's class.
        tasks: Task name -> class names; the first is the headline.
        clips: The evaluated clips by id.
        actors: Part -> its actors, in order.
        clip_counts: Part -> number of clips.
        absent_test_actors: Test actors that the corpus lacks; the run then has no test.
        synthetic: The audio is generated: everything shown must say so.
        output: The model's own logits.
        branches: Branch name -> its logits; empty but for a fusion.
        rules: Rule name -> its logits; empty but for a fusion.
        left_out: Branch name -> why it was not fused.
        fusion: None but for a fusion.
        parameters: Trained and frozen weights of the model.
        seed: The run's seed.
        seconds: Stage -> wall time.
        versions: Package -> version, and `python`, `device`.
        config: The resolved config, as YAML.
        texts: Clip of the judged part -> what the model read of it; empty for a model that reads nothing.
        warnings: What a reader of the figures must know, decided before the run started.
        across_actors: Task name -> validation scores of a fusion where each actor is fused by what is learned from
            the others.
        skipped: Clip -> what is wrong with its audio, of those that `data.on_error: skip` left out.
        refits: Branch name, or that of the run itself -> `folder` and `epochs` of its refit.
        before_refit: Of a refit that was tested, and knows what it is the refit of.
    """

    name: str
    model: str
    tasks: Tasks
    clips: dict[str, Clip]
    actors: dict[Part, list[str]]
    clip_counts: dict[Part, int]
    absent_test_actors: list[str]
    synthetic: bool
    output: PartResults
    branches: dict[str, PartResults] = field(default_factory=dict)
    rules: dict[str, PartResults] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    fusion: FusionSummary | None = None
    parameters: int = 0
    seed: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    config: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    across_actors: dict[str, Scores] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    refits: dict[str, dict[str, Any]] = field(default_factory=dict)
    before_refit: BeforeRefit | None = None

    @property
    def is_judged(self) -> bool:
        """Whether there are test or validation clips; a refit has none where it is not tested."""
        return self.judged_on in self.output

    @property
    def judged_on(self) -> Part:
        """`test` where the run was tested, else `val`."""
        return "test" if "test" in self.output else "val"

    @property
    def refitted(self) -> bool:
        """Whether this is a fusion over refitted branches; its validation figures are of those before."""
        return bool(self.refits) and self.fusion is not None

    @property
    def learned_from(self) -> list[str]:
        """Actors that the model, as it is on the judged part, was trained on."""
        joined = self.refitted and self.judged_on == "test"
        return [*self.actors["train"], *(self.actors["val"] if joined else [])]

    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json."""
        fusion = self.fusion
        return {
            **{str(part): scores for part, scores in _scores(self.output).items()},
            **({"val_across_actors": self.across_actors} if self.across_actors else {}),
            "branches": {name: _scores(results) for name, results in self.branches.items()},
            "left_out": self.left_out,
            "rules": {name: _scores(results) for name, results in self.rules.items()},
            "fusion": fusion
            and {"rule": fusion.rule, "weights": fusion.weights, "temperature": fusion.temperature},
            **({"refit": self.refits} if self.refits else {}),
            **({"before_refit": self.before_refit.metrics()} if self.before_refit else {}),
            "synthetic": self.synthetic,
            "warnings": self.warnings,
            "skipped_clips": self.skipped,
            "absent_test_actors": self.absent_test_actors,
            "seed": self.seed,
            "parameters": self.parameters,
            "seconds": self.seconds,
            "versions": self.versions,
        }


def wall_s(metrics: Mapping[str, Any]) -> float:
    """Seconds by the clock that a run took, from its metrics.json: branches count once, and not each by itself."""
    seconds: Mapping[str, float] = metrics["seconds"]
    return sum(spent for stage, spent in seconds.items() if not stage.startswith("branch "))


def _scores(results: PartResults) -> dict[Part, dict[str, Scores]]:
    return {part: score_part(logits) for part, logits in results.items()}
