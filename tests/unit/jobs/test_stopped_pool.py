"""Signals that reach a pool while its children run."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_emorec.errors import Stopped
from lightning_emorec.jobs.child import Work
from lightning_emorec.jobs.pool import side_by_side
from tests.unit.jobs.conftest import Start

MakeTask = Callable[[str], Callable[[object], Work[int]]]

SLOT = {"PATH": "/usr/bin:/bin"}
FOREVER = (
    'trap \'echo stopped > "$file.stopped"; exit 130\' INT; echo up > "$file"; while :; do sleep 0.02; done'
)


def when_up(files: list[Path], do: Callable[[], None]) -> threading.Thread:
    def wait() -> None:
        deadline = time.monotonic() + 20
        while not all(file.exists() for file in files) and time.monotonic() < deadline:
            time.sleep(0.01)
        do()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_stops_all_children_and_is_raised_again(
    which: signal.Signals, tmp_path: Path, task: MakeTask
) -> None:
    files = [tmp_path / "first", tmp_path / "second"]
    tasks = [task(f'file="{file}"; {FOREVER}') for file in files]
    before = signal.getsignal(which)
    waiting = when_up(files, lambda: os.kill(os.getpid(), which))
    with pytest.raises(KeyboardInterrupt) as stop:
        side_by_side([*tasks, task("exit 0")], [SLOT] * 2)
    waiting.join()
    assert all(file.with_suffix(".stopped").is_file() for file in files)
    assert signal.getsignal(which) == before
    if which != signal.SIGINT:
        assert isinstance(stop.value, Stopped)
        assert stop.value.which == which


def test_a_second_ctrl_c_ends_children_at_once(tmp_path: Path, start: Start) -> None:
    pid = tmp_path / "pid"

    def stubborn(environment: object) -> Work[int]:
        script = (
            f'trap \'echo again > "{tmp_path}/again"\' INT; echo $$ > "{pid}"; while :; do sleep 0.02; done'
        )
        return (yield from start(script).until_ended())

    def press() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        when_up([tmp_path / "again"], lambda: os.kill(os.getpid(), signal.SIGINT))

    pressing = when_up([pid], press)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        side_by_side([stubborn], [SLOT])
    pressing.join()
    assert time.monotonic() - started < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_job_that_is_stopped_gives_back_what_it_holds(tmp_path: Path, start: Start) -> None:
    given_back: list[str] = []

    def work(environment: object) -> Work[int]:
        try:
            return (yield from start(f'file="{tmp_path}/up"; {FOREVER}').until_ended())
        finally:
            given_back.append("lock")

    waiting = when_up([tmp_path / "up"], lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Stopped):
        side_by_side([work], [SLOT])
    waiting.join()
    assert given_back == ["lock"]
