"""Report of a stress test: a table on the terminal, and stress.html with a plot for each condition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from rich.console import Console
from rich.text import Text

from lightning_emorec.commands.stress.results import ConditionResult, StressResults, figure_of
from lightning_emorec.commands.stress.scoring import Figures
from lightning_emorec.evaluation.formats import count, percent
from lightning_emorec.evaluation.plots import GREY, WIDTH_INCHES, svg
from lightning_emorec.evaluation.report import write_page
from lightning_emorec.evaluation.results import PART_NAMES
from lightning_emorec.evaluation.system_plots import COLOURS, MARKERS
from lightning_emorec.evaluation.table import Line, headed, print_scores

PAGE = "stress.html"

LINES = list(zip(COLOURS, MARKERS, strict=True))[:6]
DASHES = ("-", "--", ":")  # one more for each round of the colours
INK = "#111827"


def write_stress_page(results: StressResults, folder: Path) -> Path:
    """Write stress.html and return its path."""
    content = {
        "synthetic": results.synthetic,
        "stress": results,
        "part": PART_NAMES[results.part],
        "figure_of": figure_of,
        "curves": {
            condition.name: Markup(condition_figure(results, condition)) for condition in results.conditions
        },
    }
    return write_page(folder / PAGE, f"{PAGE}.j2", content, "commands/stress")


def condition_figure(results: StressResults, condition: ConditionResult) -> str:
    """Plot UAR over severity for every branch and the chosen rule, as SVG."""
    places = ["clean", *condition.severities]
    steps = [results.clean, *condition.severities.values()]

    def line(kind: str, name: str) -> list[float]:
        values = [figure_of(figures, kind, name, "uar") for figures in steps]
        return [float("nan") if value is None else 100 * value for value in values]

    def paint(axes: Axes) -> None:
        chance = 100 / results.classes
        axes.axhline(chance, color=GREY, linestyle=":", linewidth=1, label=f"chance {chance:.1f}")
        for order, name in enumerate(results.clean.branches):
            colour, marker = LINES[order % len(LINES)]
            dash = DASHES[order // len(LINES) % len(DASHES)]
            look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 5, "linewidth": 1.3}
            axes.plot(line("branches", name), linestyle=dash if condition.unit else "", label=name, **look)
        if results.rule is not None and results.rule in results.clean.rules:
            look = {"color": INK, "marker": "*", "markersize": 7, "linewidth": 2.2}
            label = f"fusion ({results.rule})"
            axes.plot(
                line("rules", results.rule), linestyle="-" if condition.unit else "", label=label, **look
            )
        axes.set_xticks(range(len(places)), places)
        axes.set(ylim=(0, 100), ylabel="UAR, %", xlabel=condition.unit or "what is missing")
        axes.margins(x=0.04)
        axes.grid(axis="y")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, borderaxespad=0.3)

    rows = (len(results.clean.branches) + 3) // 2  # of the legend: chance, branches, the rule
    return svg((WIDTH_INCHES, 2.6 + 0.2 * rows), paint)


def print_stress(results: StressResults, page: Path, console: Console | None = None) -> None:
    """Print UAR in percent (rows: severities, columns: rules and branches), notes and, last, the path of the page."""
    console = console or Console()
    part = f"{results.task} on {PART_NAMES[results.part]}"
    size = f"{results.clips} clips of {count(results.actors, 'actor')}"
    lines = [Line("clean", _numbers(results, results.clean), ends_section=True)]
    for condition in results.conditions:
        lines.append(Line(condition.name, [], "bold"))
        last = list(condition.severities)[-1]
        for severity, figures in condition.severities.items():
            name = f"  {severity} {condition.unit}".rstrip()
            lines.append(Line(name, _numbers(results, figures), ends_section=severity == last))
    columns = {
        name: _heading(name, results.rule if kind == "rules" else None) for kind, name in results.models
    }
    other_rules = [columns[name] for kind, name in results.models if kind == "rules" and name != results.rule]
    title = headed(results.synthetic, results.run, part, size, "UAR in %")
    print_scores(console, title, ["", *columns.values()], lines, other_rules[::-1])
    for note in results.notes:
        console.print(Text(note), style="dim")
    console.print(Text(f"report {page}"), soft_wrap=True)


def _numbers(results: StressResults, figures: Figures) -> list[str]:
    return [percent(figure_of(figures, kind, name, "uar")) for kind, name in results.models]


def _heading(name: str, rule: str | None) -> str:
    """Break a name into several lines, so that eight columns fit."""
    return name.replace("_", "_\n") + ("\n(chosen)" if name == rule else "")
