"""What a cross-validation prints at its end."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from lightning_emorec.commands.crossval.judge import warnings
from lightning_emorec.commands.crossval.results import CrossvalResults, System, Way
from lightning_emorec.commands.crossval.summary import (
    Spread,
    learned_weights,
    system_scores,
    temperature_spread,
)
from lightning_emorec.evaluation.evaluate import Judgement
from lightning_emorec.evaluation.leaderboard import percent
from lightning_emorec.evaluation.table import brackets

WITH_INTERVAL = {"accuracy": "accuracy", "uar": "UAR"}
PERCENT = {"macro_f1": "F1", "ece": "ECE"}
HEADINGS: dict[Way, str] = {"val": "validation split:", "oof": "out of fold:"}


def scores_table(results: CrossvalResults, judgement: Judgement) -> Table:
    """Every system on all clips pooled, in percent; with several seeds their mean and SD.

    Args:
        results: What was found.
        judgement: How far it can be trusted: the intervals.
    """
    title = _title(results, f"{results.task} on {len(results.clips)} test clips, pooled over folds, in %")
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    table.add_column("", overflow="fold")
    level = f"[{100 * judgement.bootstrap.level:g}%]"
    headings = [f"{heading} {level}" for heading in WITH_INTERVAL.values()]
    for heading in [*headings, *PERCENT.values()]:  # more would not fit 80 characters; the page has it
        table.add_column(Text(heading), justify="right", no_wrap=True)
    way: Way | None = None
    for system in results.systems:
        if system.way and system.way != way:
            table.add_section()
            table.add_row(Text(HEADINGS[system.way], style="italic"))
        way = system.way
        table.add_row(
            *_line(results, judgement, system), style="bold" if _is_chosen(results, system) else None
        )
    for name in results.left_out:
        table.add_row(Text(f"{name}: left out"), style="yellow")
    return table


def _line(results: CrossvalResults, judgement: Judgement, system: System) -> list[str | Text]:
    found = system_scores(results, system)[results.task]
    name = Text(f"{system.name} (chosen)" if _is_chosen(results, system) else system.name)
    estimates = judgement.systems[system.label].scores
    judged = [_percents(found["seeds"][metric]) + brackets(estimates[metric]) for metric in WITH_INTERVAL]
    others = [_percents(found["seeds"][metric]) for metric in PERCENT]
    return [name, *judged, *others]


def _is_chosen(results: CrossvalResults, system: System) -> bool:
    return system.way is not None and system == results.chosen


def weights_table(results: CrossvalResults) -> Table:
    """What the rules that learn weights learned, a rule in each column: mean and SD over folds and seeds."""
    learned = {system: found for system in results.systems if (found := learned_weights(results, system))}
    title = _title(results, "weights, mean ± SD over folds" + (" and seeds" if results.seeds[1:] else ""))
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    table.add_column("", overflow="fold")
    for system in learned:
        table.add_column(Text(system.label.replace(" (", "\n(")), justify="right", no_wrap=True)
    for name in [system.name for system in results.systems if system.way is None]:
        table.add_row(Text(name), *(_numbers(shares[name]) for shares in learned.values()))
    table.add_section()
    temperatures = [temperature_spread(results, system, results.task) for system in learned]
    table.add_row("temperature", *(_numbers(of) if of else "–" for of in temperatures))
    return table


def how_solved(results: CrossvalResults) -> list[str]:
    """In a sentence each, what the rules of either way were solved on."""
    if results.chosen.way is None:
        return []
    said = [f"validation split: rules solved on the {_range(results, 'val')} validation clips of a fold"]
    if results.inner and results.single:
        named = ", ".join(results.single)
        said.append(
            f"out of fold: rules solved on the {_range(results, 'oof')} validation clips of a fold, for which all "
            f"branches have logits. {named}: too dear for inner folds, so logits of the single validation split; "
            f"the others: out-of-fold logits of {results.inner} inner folds"
        )
    elif results.inner:
        said.append(
            f"out of fold: rules solved on the {_range(results, 'oof')} clips of a fold's training and validation "
            f"actors, judged by branches trained on the rest of {results.inner} inner folds"
        )
    return said


def print_results(
    results: CrossvalResults, judgement: Judgement, page: Path, console: Console | None = None
) -> None:
    """Print both tables, what they rest on and, last, where the page is.

    Args:
        results: What was found.
        judgement: How far it can be trusted.
        page: crossval.html, beside the other files.
        console: Where to print; standard output by default.
    """
    console = console or Console()
    console.print(scores_table(results, judgement))
    if results.chosen.way:
        console.print(weights_table(results))
    for warning in warnings(results):
        console.print(Panel(Text(warning), title="WARNING", border_style="bold red"))
    console.print(Text(_legend(results, judgement)))
    left_out = [f"{name} is left out: {reason}" for name, reason in results.left_out.items()]
    for sentence in [*how_solved(results), *left_out]:
        console.print(Text(sentence))
    console.print(Text(f"page {page}"), soft_wrap=True)


def _legend(results: CrossvalResults, judgement: Judgement) -> str:
    said = [f"in brackets: interval over {judgement.measured.actors} actors"]
    if results.seeds[1:]:
        said = [f"{said[0]}, of seed {results.seeds[0]}", "±: standard deviation over seeds"]
    return "; ".join(said)


def _range(results: CrossvalResults, way: str) -> str:
    counts = [count for cell in results.cells for name, count in cell.solved_on.items() if name == way]
    return str(min(counts)) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def _percents(of: Spread) -> str:
    return percent(of["mean"]) + ("" if of["sd"] is None else f" ± {percent(of['sd'])}")


def _numbers(of: Spread) -> str:
    return f"{of['mean']:.2f}" + ("" if of["sd"] is None else f" ± {of['sd']:.2f}")


def _title(results: CrossvalResults, what: str) -> Text:
    folding = results.folding
    folds = f"{folding} folds" if isinstance(folding, int) else f"{folding}, {len(results.folds)} folds"
    seeds = f"{len(results.seeds)} seed" + ("s" if len(results.seeds) > 1 else "")
    warning = Text("SYNTHETIC · ", style="bold yellow") if results.synthetic else Text()
    return warning.append(" · ".join([results.name, folds, seeds, what]), style="bold")
