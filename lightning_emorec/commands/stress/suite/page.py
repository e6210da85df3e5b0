"""Report of the suite: a table on the terminal, and suite.html."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from lightning_emorec.commands.stress.suite.results import SuiteResults, TestResult
from lightning_emorec.evaluation.formats import count, percent
from lightning_emorec.evaluation.report import write_page
from lightning_emorec.evaluation.results import PART_NAMES
from lightning_emorec.evaluation.table import Line, headed, print_scores

PAGE = "suite.html"

PUBLISHED_SHARES = {"HuBERT-L": 0.795, "wav2vec2-L-robust": 0.789, "CNN14": 0.748, "a random model": 0.629}
"""Shares of tests passed that ser-tests publishes for categories: other clips and other tests."""


def write_suite_page(results: SuiteResults, folder: Path) -> Path:
    """Write suite.html and return its path."""
    content = {
        "synthetic": results.synthetic,
        "suite": results,
        "part": PART_NAMES[results.part],
        "number": number,
        "limit": limit,
        "published": PUBLISHED_SHARES,
    }
    return write_page(folder / PAGE, f"{PAGE}.j2", content, "commands/stress/suite")


def number(value: float | None) -> str:
    """A figure with three decimals; a dash for None."""
    return "–" if value is None else f"{value:.3f}".replace("-", "−")


def limit(test: TestResult) -> str:
    """The threshold, as in `≥ 0.500` and `± 0.075`."""
    sign = "≥" if test.bound == "at least" else "±"
    return f"{sign} {number(test.threshold)}"


def print_suite(results: SuiteResults, page: Path, console: Console | None = None) -> None:
    """Print the share of tests passed by group, what failed and, last, the path of the page."""
    console = console or Console()
    part = f"{results.task} on {PART_NAMES[results.part]}"
    size = f"{results.clips} clips of {count(results.actors, 'actor')}"
    lines = []
    for name, tests in results.by_group.items():
        passed = sum(test.passed for test in tests)
        random = sum(test.random for test in tests) / len(tests)
        shown = [f"{passed} of {len(tests)}", percent(passed / len(tests)), percent(random)]
        lines.append(Line(name, shown, ends_section=name == list(results.by_group)[-1]))
    total = len(results.tests)
    share = percent(results.passed / total)
    lines.append(Line("all", [f"{results.passed} of {total}", share, percent(results.random)], "bold"))
    title = headed(results.synthetic, results.run, part, size, "tests passed")
    print_scores(console, title, ["", "passed", "%", "random\nmodel, %"], lines)
    for test in results.tests:
        if not test.passed:
            said = f"failed: {test.group}: {test.name}: {number(test.figure)}, {limit(test)}"
            console.print(Text(said), style="dim")
    for note in results.notes:
        console.print(Text(note), style="dim")
    console.print(Text(f"report {page}"), soft_wrap=True)
