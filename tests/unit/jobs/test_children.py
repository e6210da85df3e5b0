from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from lightning_emorec.jobs.children import side_by_side


def task(number: int, gate: threading.Barrier | None = None) -> Callable[[], int]:
    def do() -> int:
        if gate is not None:
            gate.wait(timeout=10)
        return number

    return do


@pytest.mark.parametrize("jobs", [1, 3])
def test_results_come_in_the_order_of_the_tasks(jobs: int) -> None:
    assert side_by_side([task(number) for number in range(5)], jobs) == list(range(5))


def test_as_many_run_at_a_time_as_there_are_jobs() -> None:
    gate = threading.Barrier(2)  # opens when two wait at it
    assert side_by_side([task(1, gate), task(2, gate)], jobs=2) == [1, 2]


def test_after_a_failure_what_runs_is_finished_and_nothing_else_begun() -> None:
    done: list[str] = []
    begun = threading.Event()

    def fail() -> None:
        begun.wait(timeout=10)
        raise ValueError("no")

    def slow() -> None:
        begun.set()
        time.sleep(0.5)
        done.append("slow")

    def never() -> None:
        time.sleep(0.5)
        done.append("never")

    with pytest.raises(ValueError, match="no"):
        side_by_side([fail, slow, *[never] * 9], jobs=2)
    assert "slow" in done
    assert done.count("never") <= 1  # the one that took the failed one's place
