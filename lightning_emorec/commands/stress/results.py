"""What a stress test found, and the files that hold it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.commands.stress.panel import METRICS, Figures
from lightning_emorec.evaluation.writers import DECIMALS, Row, as_csv, write_json
from lightning_emorec.types import Part


@dataclass(frozen=True)
class ConditionResult:
    """One condition.

    Attributes:
        name: In files.
        title: For readers.
        unit: Of the severities; empty where they are words.
        severities: Severity -> scores, the mildest first.
    """

    name: str
    title: str
    unit: str
    severities: dict[str, Figures]


@dataclass(frozen=True)
class StressResults:
    """What a stress test found.

    Attributes:
        run: Name of the run folder.
        part: The part that is judged.
        clips: How many clips the scores rest on.
        actors: How many actors.
        task: What is predicted.
        classes: Of the task; chance is one of so many.
        seed: The run's.
        rule: The rule that makes the run's output; None for a single branch.
        synthetic: The audio is generated: everything shown must say so.
        notes: What a reader must know of the branches.
        clean: Scores of the undegraded clips.
        conditions: The others.
    """

    run: str
    part: Part
    clips: int
    actors: int
    task: str
    classes: int
    seed: int
    rule: str | None
    synthetic: bool
    notes: list[str]
    clean: Figures
    conditions: list[ConditionResult]

    @property
    def models(self) -> list[tuple[str, str]]:
        """`branches` or `rules`, and the name, of all that is scored: the chosen rule first, then the branches."""
        rules = [("rules", name) for name in self.clean.rules]
        branches = [("branches", name) for name in self.clean.branches]
        chosen = ("rules", self.rule or "")
        return [model for model in rules if model == chosen] + branches + [m for m in rules if m != chosen]


def figure_of(figures: Figures, kind: str, name: str, metric: str) -> float | None:
    """One score; None where the model is missing under this condition."""
    scores = figures.branches if kind == "branches" else figures.rules
    return scores[name][metric] if name in scores else None


def write_results(results: StressResults, folder: Path) -> None:
    """Write stress.json and stress.csv, each in one step."""
    content = {
        **{key: value for key, value in asdict(results).items() if key != "conditions"},
        "conditions": {
            condition.name: {severity: asdict(figures) for severity, figures in condition.severities.items()}
            for condition in results.conditions
        },
        "units": {condition.name: condition.unit for condition in results.conditions},
    }
    write_json(content, folder / "stress.json")
    columns = ["condition", "severity", "unit", "kind", "name", *METRICS]
    write_atomically(folder / "stress.csv", as_csv(columns, _rows(results)))


def _rows(results: StressResults) -> Iterator[Row]:
    clean = ConditionResult("clean", "", "", {"": results.clean})
    for condition in [clean, *results.conditions]:
        for severity, figures in condition.severities.items():
            for kind, scored in (("branch", figures.branches), ("rule", figures.rules)):
                for name, scores in scored.items():
                    yield {
                        "condition": condition.name,
                        "severity": severity,
                        "unit": condition.unit,
                        "kind": kind,
                        "name": name,
                        **{metric: f"{scores[metric]:.{DECIMALS}f}" for metric in METRICS},
                    }
