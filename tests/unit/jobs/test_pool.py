from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from lightning_emorec.jobs import pool
from lightning_emorec.jobs.child import Child, last_error
from lightning_emorec.jobs.environments import Environment
from lightning_emorec.jobs.pool import side_by_side


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "POLL_S", 0.01)


class Task:
    """A process that runs Python code; its result is what the environment's SLOT says."""

    def __init__(self, code: str, log: Path | None = None) -> None:
        self.code = code
        self.log = log

    def __call__(self, environment: Environment) -> Generator[Child, None, tuple[int, str]]:
        child = Child([sys.executable, "-S", "-c", self.code], environment, self.log)
        return (yield from child.until_ended()), environment["SLOT"]


def slots(count: int) -> list[Environment]:
    return [{"SLOT": str(number)} for number in range(count)]


@pytest.mark.parametrize("jobs", [1, 3])
def test_results_come_in_the_order_of_the_tasks(jobs: int) -> None:
    done = side_by_side([Task(f"raise SystemExit({number})") for number in range(5)], slots(jobs))
    assert [status for status, _ in done] == list(range(5))


def test_as_many_run_at_a_time_as_there_are_environments_and_each_has_its_own(tmp_path: Path) -> None:
    wait = "import pathlib, time, os\nhere = pathlib.Path({0!r})\n(here / os.environ['SLOT']).touch()\n"
    wait += "while len(list(here.iterdir())) < 2: time.sleep(0.01)"
    done = side_by_side([Task(wait.format(str(tmp_path)))] * 2, slots(2))
    assert done == [(0, "0"), (0, "1")]


def test_after_a_failure_what_runs_is_finished_and_nothing_else_begun(tmp_path: Path) -> None:
    def fail(environment: Environment) -> Generator[Child, None, tuple[int, str]]:
        yield from Child([sys.executable, "-S", "-c", ""], environment).until_ended()
        raise ValueError("no")

    slow = Task(f"import time, pathlib\ntime.sleep(0.3)\npathlib.Path({str(tmp_path / 'slow')!r}).touch()")
    never = Task(f"import pathlib\npathlib.Path({str(tmp_path / 'never')!r}).touch()")
    with pytest.raises(ValueError, match="no"):
        side_by_side([fail, slow, never], slots(2))
    assert (tmp_path / "slow").exists()
    assert not (tmp_path / "never").exists()


def test_the_last_error_in_a_log_is_that_of_the_last_child(tmp_path: Path) -> None:
    log = tmp_path / "fit.log"
    first = "import sys\nsys.exit('error: expected a; found b; do c')"
    traceback = "raise ValueError('x')"
    side_by_side([Task(first, log)], slots(1))
    assert last_error(log) == "error: expected a; found b; do c"
    side_by_side([Task(traceback, log)], slots(1))
    assert last_error(log) == "ValueError: x"
    side_by_side([Task("", log)], slots(1))
    assert last_error(log) == "no output"
