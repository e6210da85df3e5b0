"""Results of a stress test, and the files with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.commands.stress.scoring import METRICS, Figures
from lightning_emorec.evaluation.writers import DECIMALS, Row, as_csv, write_json
from lightning_emorec.types import Part


@dataclass(frozen=True)
class ConditionResult:
    """Scores under one condition.

    Attributes:
        name: Name in files.
        title: Title in reports.
        unit: Unit of the severities; empty if they are words.
        severities: Severity -> scores, in increasing order of severity.
    """

    name: str
    title: str
    unit: str
    severities: dict[str, Figures]


@dataclass(frozen=True)
class StressResults:
    """Results of a stress test.

    Attributes:
        run: Name of the run folder.
        part: The evaluated part.
        clips: Number of labelled clips.
        actors: Number of actors.
        task: The evaluated task.
        classes: Number of classes among the labels; chance is 1 / classes.
        seed: The run's seed.
        rule: The rule that makes the run's output; None for a single branch.
        synthetic: Whether the audio is generated, which every report must state.
        notes: Caveats on the branches.
        clean: Scores of the undegraded clips.
        conditions: Scores under each condition.
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
        """Kind (`branches` or `rules`) and name of all models: the chosen rule, the branches, the other rules."""
        rules = [("rules", name) for name in self.clean.rules]
        branches = [("branches", name) for name in self.clean.branches]
        chosen = ("rules", self.rule or "")
        return [model for model in rules if model == chosen] + branches + [m for m in rules if m != chosen]


def figure_of(figures: Figures, kind: str, name: str, metric: str) -> float | None:
    """One score; None if the model is missing under this condition."""
    scores = figures.branches if kind == "branches" else figures.rules
    return scores[name][metric] if name in scores else None


def write_results(results: StressResults, folder: Path) -> None:
    """Write stress.json and stress.csv."""
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
