"""What `check` prints."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from lightning_emorec.commands.check.found import Checked
from lightning_emorec.evaluation.formats import count
from lightning_emorec.evaluation.table import Line, headed, print_scores
from lightning_emorec.splits import Supported

MOST_NAMED = 20
"""Bad files that the terminal names; all are in the JSON."""


def print_checked(found: Checked, console: Console) -> None:
    """Print a table of the classes, what is odd, the bad files and the splits, on 80 columns too."""
    lines = [
        Line(one, (f"{of.clips:,}", f"{of.clips / found.clips:.0%}", f"{of.speakers:,}", f"{of.hours:.2f}"))
        for one, of in found.classes.items()
    ]
    size = (count(found.clips, "clip"), count(found.speakers, "speaker"), f"{found.hours:.2f} h")
    headings = (found.task, "clips", "share", "speakers", "hours")
    console.print(headed(found.synthetic, found.name, *size))
    print_scores(console, Text(), headings, lines)
    for task, classes in found.other_tasks.items():
        console.print(Text(f"{task}: {', '.join(f'{one} {of:,}' for one, of in sorted(classes.items()))}"))
    if found.audio is not None:
        console.print(Text(str(found.audio)))
    for sentence in _splits(found.splits):
        console.print(Text(sentence))
    for warning in found.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"))
    if found.bad:
        console.print(
            Text(f"{found.clips:,} clips, {len(found.bad):,} of which cannot be used:", style="bold red")
        )
        for clip, reason in [*found.bad.items()][:MOST_NAMED]:
            console.print(Text(f"  {clip}: {reason}"))
        if (rest := len(found.bad) - MOST_NAMED) > 0:
            console.print(Text(f"  and {rest:,} more (all are in the file of --json)"))


def _splits(splits: Supported | None) -> list[str]:
    if splits is None:
        return []
    found = []
    if splits.folds:
        val = "" if splits.val_actors is None else f" and val_actors {splits.val_actors}"
        found.append(f"KFold: up to {splits.folds} folds{val} have each class in each part")
    whole = "each speaker speaks each class" if splits.one_out else "not each speaker speaks each class"
    return [*found, f"leaving one speaker out: {splits.speakers:,} folds; {whole}"]
