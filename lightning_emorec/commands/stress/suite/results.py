"""Results of the suite, and suite.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lightning_emorec.commands.stress.suite.checks import Answers, Check
from lightning_emorec.evaluation.intervals import Measurement
from lightning_emorec.evaluation.writers import ends, write_json
from lightning_emorec.types import Part

SUITE = "suite.json"


@dataclass(frozen=True)
class TestResult:
    """The outcome of one test.

    Attributes:
        group: Group of tests.
        name: What is measured.
        figure: Its value; None where it is undefined, which fails.
        threshold: What it is held to.
        bound: `at least`, or `within`: the absolute value is at most the threshold.
        passed: Whether the model passes.
        random: Share of random models that pass, on the same clips.
        on: What it is measured on.
        published: Threshold of ser-tests, where the one used is simulated.
    """

    __test__ = False  # pytest takes the name for a class of tests

    group: str
    name: str
    figure: float | None
    threshold: float
    bound: str
    passed: bool
    random: float
    on: str
    published: float | None


@dataclass(frozen=True)
class SuiteResults:
    """Results of the suite.

    Attributes:
        run: Name of the folder.
        folds: Number of models: those of the folds of a cross-validation, or one.
        part: The evaluated part.
        clips: Number of clips.
        actors: Number of actors.
        task: The evaluated task.
        classes: Names of its classes.
        synthetic: Whether the audio is generated, which every report must state.
        notes: Caveats.
        tests: The tests, by group.
        unchanged: Condition -> title, UAR, and share of predictions that are those of the clean clips.
        groups: Grouping -> group -> scores of the clips of the group.
        lengths: Length of speech -> scores of the same clips.
        speakers: Speaker -> number of clips and accuracy, the worst first.
        not_run: Tests that cannot be run here -> what would run them.
    """

    run: str
    folds: int
    part: Part
    clips: int
    actors: int
    task: str
    classes: list[str]
    synthetic: bool
    notes: list[str]
    tests: list[TestResult]
    unchanged: dict[str, tuple[str, float, float]]
    groups: dict[str, dict[str, Measurement]]
    lengths: dict[str, Measurement]
    speakers: dict[str, tuple[int, float]]
    not_run: dict[str, str]

    @property
    def passed(self) -> int:
        """Number of tests that the model passes."""
        return sum(test.passed for test in self.tests)

    @property
    def random(self) -> float:
        """Share of the tests that a random model passes in the mean."""
        return float(np.mean([test.random for test in self.tests]))

    @property
    def by_group(self) -> dict[str, list[TestResult]]:
        """Group -> its tests."""
        return {name: [test for test in self.tests if test.group == name] for name in self._names}

    @property
    def _names(self) -> Sequence[str]:
        return list(dict.fromkeys(test.group for test in self.tests))


def outcomes(checks: Sequence[Check], answers: Answers, reference: Answers) -> Iterator[TestResult]:
    """The outcome of each test for a model, (1, clips) answers, and for random ones, (draws, clips)."""
    for check in checks:
        figures = check.figure(answers)
        yield TestResult(
            check.group,
            check.name,
            float(figures[0]) if np.isfinite(figures[0]) else None,
            check.threshold,
            check.bound,
            bool(check.passed(figures)[0]),
            float(check.passed(check.figure(reference)).mean()),
            check.on,
            check.published,
        )


def write_suite(results: SuiteResults, folder: Path) -> None:
    """Write suite.json."""
    names = ("run", "folds", "part", "clips", "actors", "task", "classes", "synthetic", "notes")
    content = {
        **{name: getattr(results, name) for name in names},
        "passed": results.passed,
        "tests": len(results.tests),
        "share": results.passed / len(results.tests),
        "random_share": results.random,
        "groups_of_tests": {
            name: {
                "passed": sum(test.passed for test in tests),
                "tests": [asdict(test) for test in tests],
            }
            for name, tests in results.by_group.items()
        },
        "conditions": {
            name: {"title": title, "uar": uar, "unchanged": same}
            for name, (title, uar, same) in results.unchanged.items()
        },
        "groups": {name: _measured(of) for name, of in results.groups.items()},
        "speech_s": _measured(results.lengths),
        "speakers": {name: {"clips": n, "accuracy": of} for name, (n, of) in results.speakers.items()},
        "not_run": results.not_run,
    }
    write_json(content, folder / SUITE)


def _measured(groups: Mapping[str, Measurement]) -> dict[str, object]:
    return {
        name: {
            "clips": of.clips,
            "actors": of.actors,
            **{score: of.scores[score].value for score in ("accuracy", "uar")},
            "intervals": {score: ends(of.scores[score]) for score in ("accuracy", "uar")},
        }
        for name, of in groups.items()
    }
