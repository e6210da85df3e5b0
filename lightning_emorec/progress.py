"""The progress bar of all commands, on stderr."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Item = TypeVar("Item")


def progress_bar(count: ProgressColumn | None = None, show: bool = True) -> Progress:
    """A bar with a description, a count (by default as `3/20`), elapsed and remaining time; a context manager.

    On a terminal the finished bar disappears; in a log its last state stays.
    """
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        count or MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=console.is_terminal,
        disable=not show,
    )


def track(items: Sequence[Item], description: str) -> Iterator[Item]:
    """Yield the items, and show how many have been processed."""
    with progress_bar() as progress:
        yield from progress.track(items, description=description)
