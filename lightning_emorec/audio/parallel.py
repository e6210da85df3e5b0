"""Work on many files at once, with a progress bar."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import TypeVar

from lightning_emorec.progress import progress_bar

Item = TypeVar("Item")
Result = TypeVar("Result")

SHOW_FROM = 50
"""Fewer files are done before a bar could be read."""

MOST_THREADS = 8

AT_ONCE = 1000
"""Items that are given to the threads at once: each costs kilobytes until all of these are done."""


def run_threads(
    work: Callable[[Item], Result], items: Sequence[Item], label: str
) -> Generator[tuple[Item, Future[Result]], None, None]:
    """Yield each item with its finished future, in the order in which they finish.

    Threads suffice, because hashing, decoding and resampling run outside the interpreter's lock. When the
    caller stops or is interrupted, what has not begun is cancelled.

    Args:
        work: Called once an item, in some thread.
        items: What to work on.
        label: Stands before the progress bar.
    """
    pool = ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1))
    try:
        with progress_bar(show=len(items) >= SHOW_FROM) as progress:
            task = progress.add_task(label, total=len(items))
            for start in range(0, len(items), AT_ONCE):
                futures = {pool.submit(work, item): item for item in items[start : start + AT_ONCE]}
                for future in as_completed(futures):
                    yield futures[future], future
                    progress.advance(task)
    finally:
        pool.shutdown(cancel_futures=True)
