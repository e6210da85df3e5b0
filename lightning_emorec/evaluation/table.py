"""Tables on the terminal: the split before training, and scores at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from lightning_emorec.evaluation.adaptation import adapted_sentence
from lightning_emorec.evaluation.evaluate import Evaluation
from lightning_emorec.evaluation.formats import actor_list, brackets, percent
from lightning_emorec.evaluation.leaderboard import SECTIONS, MeanSd, ScoreRow, score_rows, warnings
from lightning_emorec.evaluation.results import PART_NAMES, WAY_NAMES, Results, RunResults
from lightning_emorec.types import Clip, Part, Tasks

if TYPE_CHECKING:
    from lightning_emorec.splits import Parts

ACTOR_CHARACTERS = 120
NAME_CHARACTERS = 32
"""A name up to this length stays on one line, if necessary by dropping columns; a longer one is folded."""

STYLES = {"chosen": "bold", "left out": "yellow", "oracle": "dim", "chance": "dim"}
SHORT_SECTIONS = {SECTIONS[way]: name for way, name in WAY_NAMES.items()}
NOTES = {"chosen": "chosen", "left out": "left out"}


@dataclass(frozen=True)
class Line:
    """A row of `print_scores`: its name, a cell for each further column, its style, and whether a line follows."""

    name: str
    cells: Sequence[str]
    style: str | None = None
    ends_section: bool = False


def print_scores(
    console: Console,
    title: Text,
    headings: Sequence[str],
    lines: Sequence[Line],
    least_important: Sequence[str] = (),
) -> None:
    """Print a table that fits on 80 columns with each name on one line.

    `headings` include that of the names; columns in `least_important` are dropped, in this order, until the rest fits.
    """
    longest = max((len(line.name) for line in lines), default=0)
    dropped: list[str] = []
    for heading in [*least_important, None]:
        table = _table(title, headings, lines, dropped)
        wide = Measurement.get(console, console.options.update(width=10_000), table).maximum
        if wide - max(0, longest - NAME_CHARACTERS) <= console.width or heading is None:
            break
        dropped += [heading] if heading in headings else []
    console.print(table)
    if dropped:
        left_out = ", ".join(heading.replace("_\n", "_").replace("\n", " ") for heading in dropped)
        console.print(Text(f"too narrow for: {left_out}", style="dim"))


def _table(title: Text, headings: Sequence[str], lines: Sequence[Line], dropped: Sequence[str]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, padding=(0, 1, 0, 0)
    )
    kept = [place for place, heading in enumerate(headings[1:]) if heading not in dropped]
    long = any(len(line.name) > NAME_CHARACTERS for line in lines)
    table.add_column(Text(headings[0]), overflow="fold", no_wrap=not long)
    for place in kept:
        table.add_column(Text(headings[1 + place]), justify="right", no_wrap=True)
    for line in lines:
        cells = [Text(line.cells[place]) if line.cells else Text() for place in kept]
        table.add_row(Text(line.name), *cells, style=line.style, end_section=line.ends_section)
    return table


def print_results(
    results: Results,
    evaluation: Evaluation,
    page: Path,
    notes: Iterable[str] = (),
    console: Console | None = None,
    more: Callable[[Console], None] = lambda _: None,
) -> None:
    """Print the score table, warnings, notes and, last, the path of the page; `more` prints further tables."""
    console = console or Console()
    print_comparison(results, evaluation, console)
    more(console)
    for warning in warnings(results):
        console.print(Panel(Text(warning), title="WARNING", border_style="bold red"))
    left_out = [f"{name} is left out: {reason}" for name, reason in results.left_out.items()]
    sets = [evaluation.sets.sentence] if evaluation.sets else []
    sets += [adapted_sentence(evaluation.adapted)] if evaluation.adapted else []
    for note in [*sets, *notes, *left_out]:
        console.print(Text(note))
    console.print(Text(f"report {page}"), soft_wrap=True)


def print_run(
    results: RunResults, evaluation: Evaluation, page: Path, console: Console | None = None
) -> None:
    """Print the results of a `fit`, `validate` or `test`."""
    notes = []
    if results.before_refit:
        notes.append("before: accuracy before the refit on validation actors too")
    if results.learned and results.learned.temperature is not None:
        temperature = f"temperature {results.learned.temperature:.2f}"
        notes.append(f"{temperature}: above 1 makes the fused probabilities less certain, below 1 more")
    print_results(results, evaluation, page, notes, console)


def print_comparison(results: Results, evaluation: Evaluation, console: Console) -> None:
    """Print scores of branches, rules and chance on the evaluated part, in percent."""
    rows = score_rows(results, evaluation)
    level = f"[{100 * evaluation.bootstrap.level:g}%]"
    folds = len(results.of(results.seeds[0])) > 1
    columns: dict[str, Callable[[ScoreRow], str]] = {
        f"accuracy {level}": lambda row: _cell(row, "accuracy", True)
    }
    columns[f"UAR {level}" if folds else "UAR"] = lambda row: _cell(row, "uar", folds)
    columns |= {"F1": lambda row: _cell(row, "macro_f1"), "ECE": lambda row: _cell(row, "ece")}
    if results.before_refit:
        columns["before"] = lambda row: percent(row.before.get("accuracy"))
    if results.is_fusion and not folds:
        columns["weight"] = lambda row: percent(row.weight)
    lines: list[Line] = []
    section = ""
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        if row.section and row.section != section:
            lines.append(Line(f"{SHORT_SECTIONS.get(row.section, row.section)}:", [], "italic"))
        section = row.section
        ends = following is not None and _group(row) != _group(following)
        cells = [cell(row) for cell in columns.values()]
        lines.append(Line(_name(row), cells, STYLES.get(row.kind), ends))
    title = headed(results.synthetic, *results.headline, "in %")
    print_scores(console, title, ["", *columns], lines, ("F1", "ECE", "before", "weight"))
    without = {row.name: row.skipped for row in rows if row.skipped}
    for name, clips in without.items():
        console.print(Text(f"{name}: scored without {clips} clips that have no audio"))


def _cell(row: ScoreRow, score: str, with_interval: bool = False) -> str:
    seeds = row.seeds.get(score)
    shown = percent_sd(seeds) if seeds else percent(row.scores.get(score))
    return shown + (brackets(row.system.measured.scores[score]) if with_interval and row.system else "")


def _name(row: ScoreRow) -> str:
    return f"{row.name} ({NOTES[row.kind]})" if row.kind in NOTES else row.name


def _group(row: ScoreRow) -> str:
    kind = {"left out": "branch", "chosen": "rule", "oracle": "chance"}.get(row.kind, row.kind)
    return kind + row.section


def percent_sd(of: MeanSd) -> str:
    """A mean and its deviation in percent."""
    return percent(of["mean"]) + ("" if of["sd"] is None else f" ± {percent(of['sd'])}")


def headed(synthetic: bool, *parts: str) -> Text:
    """A title of several parts, with a leading note if the audio is generated."""
    warning = Text("SYNTHETIC · ", style="bold yellow") if synthetic else Text()
    return warning.append(" · ".join(parts), style="bold")


def split_table(parts: Parts, tasks: Tasks, synthetic: bool) -> Table:
    """A table of each part's clips, actors and classes of the first task, shown before training."""
    task, classes = next(iter(tasks.items()))
    title = headed(synthetic, "split by actor", f"clips by {task}")
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    table.add_column("")
    clips: dict[Part, list[Clip]] = {"train": parts.train, "val": parts.val, "test": parts.test}
    for part in clips:
        table.add_column(PART_NAMES[part], justify="right")
    table.add_row("clips", *(str(len(of)) for of in clips.values()))
    table.add_row("actors", *(_actors(part, parts) for part in clips), end_section=True)
    counts = [Counter(clip.labels.get(task) for clip in of) for of in clips.values()]
    for name in classes:
        table.add_row(Text(name), *(str(count[name]) for count in counts))
    if any(count[None] for count in counts):
        table.add_row("(unlabelled)", *(str(count[None]) for count in counts))
    return table


def _actors(part: Part, parts: Parts) -> Text:
    if part == "test" and parts.absent_test_actors:
        return Text(f"no test: {_shorten(actor_list(parts.absent_test_actors))} absent", "yellow")
    actors = parts.actors[part]
    return Text(f"{len(actors)}: {_shorten(actor_list(actors))}" if actors else "none")


def _shorten(text: str) -> str:
    short = text[: ACTOR_CHARACTERS - 1].rstrip(" ,;") + "…"
    return text if len(text) <= ACTOR_CHARACTERS else short
