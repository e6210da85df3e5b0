"""What a cross-validation prints at its end."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lightning_emorec.evaluation.crossval.results import CrossvalResults, System, Way
from lightning_emorec.evaluation.crossval.summary import (
    Spread,
    system_scores,
    temperature_spread,
    weight_spreads,
)
from lightning_emorec.evaluation.standings import percent

PERCENT = {
    "accuracy": "acc.",
    "uar": "UAR",
    "macro_f1": "F1",
    "weighted_f1": "wtd. F1",
    "ece": "ECE",
}
HEADINGS: dict[Way, str] = {"val": "validation split:", "oof": "out of fold:"}


def scores_table(results: CrossvalResults) -> Table:
    """Every system on all clips pooled, in percent but for NLL; with several seeds their mean and SD."""
    task = next(iter(results.tasks))
    title = _title(results, f"{task} on {len(results.clips)} test clips, pooled over folds, in %")
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for heading in [*PERCENT.values(), "NLL", "UAR SD"]:
        table.add_column(heading, justify="right")
    way: Way | None = None
    for system in results.systems:
        if system.way and system.way != way:
            table.add_section()
            table.add_row(Text(HEADINGS[system.way], style="italic"))
        way = system.way
        table.add_row(*_line(results, system, task), style="bold" if _is_chosen(results, system) else None)
    for name in results.left_out:
        table.add_row(Text(f"{name}: left out"), style="yellow")
    return table


def _line(results: CrossvalResults, system: System, task: str) -> list[str | Text]:
    found = system_scores(results, system)[task]
    name = Text(f"{system.name} (chosen)" if _is_chosen(results, system) else system.name)
    pooled = [_percents(found["seeds"][metric]) for metric in PERCENT]
    return [name, *pooled, _numbers(found["seeds"]["nll"]), percent(found["folds"]["uar"]["sd"])]


def _is_chosen(results: CrossvalResults, system: System) -> bool:
    return system.way is not None and system == results.chosen


def weights_table(results: CrossvalResults) -> Table:
    """What the rules that learn weights learned: mean and SD over folds and seeds."""
    task = next(iter(results.tasks))
    branches = [system.name for system in results.systems if system.way is None]
    title = _title(results, "weights, mean ± SD over folds" + (" and seeds" if results.seeds[1:] else ""))
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for heading in ["", *branches, "temperature"]:
        table.add_column(heading, justify="right" if heading else "left")
    for system in results.systems:
        shares = weight_spreads(results, system, task) if system.way and system.name != "average" else {}
        if shares:
            temperature = temperature_spread(results, system, task)
            numbers = [_numbers(shares[name]) for name in branches]
            table.add_row(Text(system.label), *numbers, _numbers(temperature) if temperature else "–")
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
    said += [f"{name} is left out: {reason}" for name, reason in results.left_out.items()]
    return said


def print_results(results: CrossvalResults, folder: Path, console: Console | None = None) -> None:
    """Print both tables, what they rest on and where the files are."""
    console = console or Console()
    console.print(scores_table(results))
    if results.chosen.way:
        console.print(weights_table(results))
    console.print(Text("UAR SD: standard deviation of the UAR of single folds"))
    for sentence in how_solved(results):
        console.print(Text(sentence))
    console.print(Text(f"results {folder}"), soft_wrap=True)


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
