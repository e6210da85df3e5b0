"""`compare`: finished runs side by side, with paired tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.actor_plots import MOST_NAMED, strip_figure
from lightning_emorec.evaluation.intervals import DEFAULT, Measurement, actor_scores, measure
from lightning_emorec.evaluation.leaderboard import PART_NAMES, p_value
from lightning_emorec.evaluation.page import FEW_ACTORS, interval, points, render
from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.evaluation.run_predictions import (
    JudgedPart,
    check_same,
    find_runs,
    on_shared_clips,
    read_predictions,
)
from lightning_emorec.evaluation.significance import Comparison, PValue
from lightning_emorec.evaluation.significance import compare as compare_pairs
from lightning_emorec.evaluation.table import with_interval

SCORES = {"accuracy": "accuracy", "uar": "UAR", "macro_f1": "macro-F1"}


@dataclass(frozen=True)
class RunsCompared:
    """Runs on the same clips.

    Attributes:
        part: The part that the clips are of.
        task: The runs' first task.
        left_out: Clips that some run lacks.
        runs: Run -> its scores with intervals.
        actors: Run -> actor -> accuracy.
        pairs: Every pair of runs.
    """

    part: JudgedPart
    task: str
    left_out: int
    runs: dict[str, Measurement]
    actors: dict[str, dict[str, float]]
    pairs: list[Comparison]

    @property
    def size(self) -> str:
        """How many clips of how many actors the scores rest on."""
        of = next(iter(self.runs.values()))
        return f"{of.clips} clips of {of.actors} actor{'' if of.actors == 1 else 's'}"


def compare(
    run: list[str],
    part: JudgedPart = "test",
    runs: Path = Path("runs"),
    out: Path = Path("compare.html"),
    shared: bool = False,
) -> RunsCompared:
    """Put finished runs side by side: scores with intervals over actors, and paired tests of every two.

    Args:
        run: Folders of runs, or their names under `--runs`; at least two.
        part: The part whose predictions are compared.
        runs: Folder of all runs.
        out: The page to write.
        shared: Where the runs' clips differ, compare on those that all have; else that is an error.

    Raises:
        EmorecError: Fewer than two runs, one that is not there, or runs that differ in task, classes or clips.
    """
    if len(run) < 2:
        raise EmorecError("at least two runs", ", ".join(run) or "none", "name another one")
    said = {name: read_predictions(folder, part) for name, folder in find_runs(run, runs).items()}
    clips = {clip for of in said.values() for clip in of.predictions.clip_ids}
    if shared:
        said = on_shared_clips(said)
    check_same(said)
    kept = next(iter(said.values()))
    left_out = len(clips) - len(kept.predictions.clip_ids)
    found = _compared({name: of.predictions for name, of in said.items()}, part, kept.task, left_out)
    write_atomically(out, _page(found))
    console = Console()
    for table in (scores_table(found), pairs_table(found)):
        console.print(table)
    console.print(Text(_note(found)))
    console.print(Text(f"page {out}"), soft_wrap=True)
    return found


def _compared(said: Mapping[str, Predictions], part: JudgedPart, task: str, left_out: int) -> RunsCompared:
    actors = {
        name: {actor: scores["accuracy"] for actor, scores in actor_scores(of).items()}
        for name, of in said.items()
    }
    pairs = compare_pairs(said)
    return RunsCompared(part, task, left_out, {name: measure(of) for name, of in said.items()}, actors, pairs)


def scores_table(found: RunsCompared) -> Table:
    """Each run's scores in percent, with their intervals over actors."""
    title = f"{found.task} on {PART_NAMES[found.part]} · {found.size} · in %, with {_level()} intervals"
    table = Table(box=box.SIMPLE_HEAD, title=Text(title, style="bold"), title_justify="left")
    table.add_column("run", overflow="fold")
    for heading in SCORES.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for name, of in found.runs.items():
        table.add_row(Text(name), *(with_interval(of.scores[score]) for score in SCORES))
    return table


def pairs_table(found: RunsCompared) -> Table:
    """Each pair's difference in accuracy and its p-values."""
    title = "first minus second, in points · p (Holm)"
    table = Table(box=box.SIMPLE_HEAD, title=Text(title, style="bold"), title_justify="left")
    table.add_column("first, second", overflow="fold")
    for heading in ("accuracy", "p, accuracy\nover actors", "p, UAR\nover actors", "p over clips\n(McNemar)"):
        table.add_column(heading, justify="right", no_wrap=True)
    for pair in found.pairs:
        ends = interval(pair.accuracy_difference, signed=True)
        difference = points(pair.accuracy_difference.value) + (f"\n{ends}" if ends else "")
        tests = (pair.actor_accuracy, pair.actor_uar, pair.mcnemar)
        table.add_row(Text(f"{pair.first}\n{pair.second}"), difference, *(_both(test) for test in tests))
    return table


def _both(test: PValue) -> str:
    return f"{p_value(test.raw)} ({p_value(test.holm)})"


def _note(found: RunsCompared) -> str:
    """What the reader must know before believing a p-value."""
    pair = found.pairs[0]
    notes = [f"Clips left out, as not all runs have them: {found.left_out}."] if found.left_out else []
    if pair.least_p > 0.05:
        few = f"{pair.actors} actor{'s' if pair.actors > 1 else ''}"
        notes.append(
            f"With {few} the permutation test over actors can give no p below {p_value(pair.least_p)}."
        )
    notes.append("McNemar's test takes clips for independent, so it is too ready to find a difference.")
    return " ".join(notes)


def _level() -> str:
    return f"{100 * DEFAULT.level:g}%"


def _page(found: RunsCompared) -> str:
    means = {name: of.scores["accuracy"].value for name, of in found.runs.items()}
    measured = next(iter(found.runs.values()))
    return render(
        "compare.html.j2",
        {
            "found": found,
            "part": PART_NAMES[found.part],
            "level": f"{100 * DEFAULT.level:g}",
            "resamples": DEFAULT.resamples,
            "measured": measured,
            "few": measured.actors <= FEW_ACTORS,
            "joined": measured.actors <= MOST_NAMED,
            "by_actor": Markup(strip_figure(found.actors, means)),
        },
    )
