"""What `stress` prints."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lightning_emorec.commands.stress.results import StressResults, figure_of
from lightning_emorec.commands.stress.scoring import Figures
from lightning_emorec.evaluation.leaderboard import PART_NAMES, percent


def stress_table(results: StressResults) -> Table:
    """UAR in percent: a row a severity, the undegraded clips first; a column a branch and a rule."""
    title = Text("SYNTHETIC · ", style="bold yellow") if results.synthetic else Text()
    people = f"{results.clips} clips of {results.actors} actor{'' if results.actors == 1 else 's'}"
    told = [results.run, f"{results.task} on {PART_NAMES[results.part]}", people, "UAR in %"]
    title.append(" · ".join(told), style="bold")
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    table.add_column("", no_wrap=True)
    for kind, name in results.models:
        chosen = kind == "rules" and name == results.rule
        heading = Text(name.replace("_", "_\n"))  # narrow enough for a branch or two on 80 characters
        table.add_column(heading, justify="right", overflow="fold", style="bold" if chosen else "")
    table.add_row("clean", *_numbers(results, results.clean), end_section=True)
    for condition in results.conditions:
        table.add_row(Text(condition.name, style="bold"))
        last = list(condition.severities)[-1]
        for severity, figures in condition.severities.items():
            said = f"  {severity} {condition.unit}".rstrip()
            table.add_row(said, *_numbers(results, figures), end_section=severity == last)
    return table


def print_stress(results: StressResults, page: Path, console: Console | None = None) -> None:
    """Print the table, what must be known of it and, last, where the page is."""
    console = console or Console()
    console.print(stress_table(results))
    for note in results.notes:
        console.print(Text(note), style="dim")
    console.print(Text(f"report {page}"), soft_wrap=True)


def _numbers(results: StressResults, figures: Figures) -> list[str]:
    return [percent(figure_of(figures, kind, name, "uar")) for kind, name in results.models]
