"""What a run prints: whom it learns from before it starts, and what came out at the end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from lightning_emorec.evaluation.evaluate import Judgement
from lightning_emorec.evaluation.intervals import Estimate
from lightning_emorec.evaluation.leaderboard import (
    PART_NAMES,
    Standing,
    actor_list,
    first_task,
    judged_part,
    judged_size,
    percent,
    standings,
    warnings,
)
from lightning_emorec.evaluation.results import RunResults
from lightning_emorec.splits import Parts
from lightning_emorec.types import Clip, Part, Tasks

SCORES = {"accuracy": "accuracy", "uar": "UAR", "macro_f1": "macro-F1", "ece": "ECE"}
BEFORE = "before"  # the refit: accuracy; a longer heading would leave the names no room in 80 columns
NOTES = {
    "chosen": "chosen",
    "oracle": "unattainable",
    "chance": "largest class",
}
REASON_CHARACTERS = 100
ACTOR_CHARACTERS = 120


def split_table(parts: Parts, tasks: Tasks, synthetic: bool) -> Table:
    """Show each part's clips, actors and classes, before training.

    Args:
        parts: The split.
        tasks: Task name -> class names; the first is counted.
        synthetic: The audio is generated.
    """
    task, classes = next(iter(tasks.items()))
    title = _title(synthetic, "split by actor", f"clips by {task}")
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
        return Text(
            f"no test: {_shorten(actor_list(parts.absent_test_actors), ACTOR_CHARACTERS)} absent", "yellow"
        )
    actors = parts.actors[part]
    return Text(f"{len(actors)}: {_shorten(actor_list(actors), ACTOR_CHARACTERS)}" if actors else "none")


def results_table(results: RunResults, judgement: Judgement) -> Table:
    """Compare branches, rules and chance on the judged part; all scores in percent.

    Args:
        results: What the run found.
        judgement: How far it can be trusted: the intervals of accuracy.
    """
    judged = f"{first_task(results)} on {judged_part(results)}"
    title = _title(results.synthetic, results.name, judged, judged_size(results), "in %")
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    table.add_column("", overflow="fold")
    level = f"accuracy [{100 * judgement.bootstrap.level:g}%]"
    headings = [level, *list(SCORES.values())[1:]]
    headings += [BEFORE] if results.before_refit else []
    headings += ["weight"] if results.fusion else []
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    lines = standings(results)
    for line, following in zip(lines, [*lines[1:], None], strict=True):
        numbers = [percent(line.scores.get(score)) for score in SCORES]
        if line.name in judgement.systems:
            numbers[0] = with_interval(judgement.systems[line.name].scores["accuracy"])
        if results.before_refit:
            numbers.append(percent(line.before.get("accuracy")))
        if results.fusion:
            numbers.append(percent(line.weight))
        section_ends = following is not None and _section(line) != _section(following)
        style = {"chosen": "bold", "left out": "yellow", "oracle": "dim", "chance": "dim"}.get(line.kind)
        table.add_row(_label(line), *numbers, style=style, end_section=section_ends)
    return table


def with_interval(estimate: Estimate) -> str:
    """A score in percent and, in brackets, its interval where it has one."""
    return percent(estimate.value) + brackets(estimate)


def brackets(estimate: Estimate) -> str:
    """An interval in percent, with a space before it; empty where there is none."""
    ends = estimate.interval
    return f" [{percent(ends.low)}, {percent(ends.high)}]" if ends else ""


def print_results(
    results: RunResults, judgement: Judgement, report_path: Path, console: Console | None = None
) -> None:
    """Print the comparison, what looks wrong, the temperature and, last, where the report is.

    Args:
        results: What the run found.
        judgement: How far it can be trusted.
        report_path: Of report.html.
        console: Where to print; standard output by default.
    """
    console = console or Console()
    console.print(results_table(results, judgement))
    if results.before_refit:
        console.print(Text(f"{BEFORE}: accuracy before the refit on validation actors too"))
    for warning in warnings(results):
        console.print(Panel(Text(warning), title="WARNING", border_style="bold red"))
    if results.fusion and results.fusion.temperature is not None:
        meaning = "above 1 tones the fused probabilities down, below 1 sharpens"
        console.print(Text(f"temperature {results.fusion.temperature:.2f}: {meaning}"))
    console.print(Text(f"report {report_path}"), soft_wrap=True)


def _label(line: Standing) -> Text:
    if line.kind == "left out":
        return Text(f"{line.name}\nleft out: {_shorten(line.reason, REASON_CHARACTERS)}")
    note = f"without {line.skipped} mute clips" if line.skipped else NOTES.get(line.kind)
    return Text(f"{line.name} ({note})" if note else line.name)


def _section(line: Standing) -> str:
    return {"left out": "branch", "chosen": "rule", "oracle": "chance"}.get(line.kind, line.kind)


def _shorten(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1].rstrip(" ,;") + "…"


def _title(synthetic: bool, *parts: str) -> Text:
    warning = Text("SYNTHETIC · ", style="bold yellow") if synthetic else Text()
    return warning.append(" · ".join(parts), style="bold")
