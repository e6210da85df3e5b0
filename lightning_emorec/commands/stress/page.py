"""stress.html: a curve for each condition, on one page that needs no other file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.commands.stress.results import ConditionResult, StressResults, figure_of
from lightning_emorec.evaluation.leaderboard import PART_NAMES
from lightning_emorec.evaluation.page import render
from lightning_emorec.evaluation.plots import GREY, WIDTH_INCHES, svg

PAGE = "stress.html"

# Okabe and Ito's colours, with a marker each, so that a line can be told without its colour too.
LINES = (
    ("#0072B2", "o"),
    ("#D55E00", "s"),
    ("#009E73", "^"),
    ("#CC79A7", "D"),
    ("#E69F00", "v"),
    ("#56B4E9", "P"),
)
DASHES = ("-", "--", ":")  # one more for each round of the colours
INK = "#111827"


def write_page(results: StressResults, folder: Path) -> Path:
    """Write the page in one step.

    Returns:
        Its path.
    """
    content = {
        "stress": results,
        "part": PART_NAMES[results.part],
        "figure_of": figure_of,
        "curves": {
            condition.name: Markup(condition_figure(results, condition)) for condition in results.conditions
        },
    }
    write_atomically(folder / PAGE, render(f"{PAGE}.j2", content, "commands/stress"))
    return folder / PAGE


def condition_figure(results: StressResults, condition: ConditionResult) -> str:
    """Draw UAR from the undegraded clips to the most degraded, as SVG; of the rules, the chosen one."""
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
