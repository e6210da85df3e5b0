from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lightning_emorec.jobs import child as module
from lightning_emorec.jobs.child import last_error
from lightning_emorec.locks import lock, try_lock
from tests.unit.jobs.conftest import Start


def wait_for(file: Path) -> str:
    deadline = time.monotonic() + 20
    while not (file.is_file() and file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return file.read_text()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_output_is_appended_to_the_log_under_a_title(tmp_path: Path, start: Start) -> None:
    for number in (1, 2):
        child = start(f"echo out {number}; echo err >&2", title=f"fit {number}")
        while child.poll() is None:
            time.sleep(0.01)
    assert (tmp_path / "log").read_text() == "\n== fit 1\nout 1\nerr\n\n== fit 2\nout 2\nerr\n"


def test_a_child_in_the_background_is_interrupted_with_the_processes_it_started(
    tmp_path: Path, start: Start
) -> None:
    trap = 'trap "echo stopped > $0; exit 3" INT; echo up > $0.up; while :; do sleep 0.02; done'
    script = f'sh -c \'{trap}\' "{tmp_path}/inner"; echo stopped > "{tmp_path}/outer"'
    child = start(f"trap 'echo' INT; {script}")
    wait_for(tmp_path / "inner.up")
    child.interrupt()
    child.wait()
    assert (tmp_path / "inner").read_text() == (tmp_path / "outer").read_text() == "stopped\n"


def test_a_child_that_ignores_ctrl_c_is_ended(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.2)
    child = start(f"trap '' INT; echo $$ > \"{tmp_path}/pid\"; while :; do sleep 0.02; done")
    pid = int(wait_for(tmp_path / "pid"))
    child.interrupt()
    child.wait()
    assert not is_alive(pid)


def test_a_child_is_stopped_without_waiting_for_it(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.2)
    child = start(f"trap '' INT; echo $$ > \"{tmp_path}/pid\"; while :; do sleep 0.02; done")
    pid = int(wait_for(tmp_path / "pid"))
    for running in child.stop():
        assert running is child
        time.sleep(0.01)
    assert not is_alive(pid)


def test_a_child_in_the_foreground_gets_a_signal_that_its_terminal_does_not_send(
    tmp_path: Path, start: Start
) -> None:
    script = f'trap "exit 4" TERM; trap "exit 3" INT; echo up > "{tmp_path}/up"; while :; do sleep 0.02; done'
    child = start(script, log=None)
    wait_for(tmp_path / "up")
    child.interrupt(signal.SIGINT)  # a terminal would have sent it
    with pytest.raises(subprocess.TimeoutExpired):
        child._process.wait(0.2)
    child.interrupt(signal.SIGTERM)
    child.wait()
    assert child.poll() == 4


def test_a_child_that_outlives_us_keeps_the_lock(tmp_path: Path, start: Start) -> None:
    held = lock(tmp_path / "lock")
    child = start(f'while ! [ -e "{tmp_path}/go" ]; do sleep 0.02; done', lock=held)
    held.close()  # as that of a killed process
    refused = try_lock(tmp_path / "lock") is None
    (tmp_path / "go").touch()  # before anything is asserted: nothing else ends the script
    assert refused
    assert child._process.wait(20) == 0
    free = try_lock(tmp_path / "lock")
    assert free is not None
    free.close()


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("error: before\n\n== second\nsome line\nerror: no luck\n\n", "error: no luck"),
        (
            "\n== second\nOurError: expected luck; found none; try again\n  in a traceback\n",
            "OurError: expected luck; found none; try again",
        ),
        ("expected luck; found none; try again\n\n== second\n", "no output"),
    ],
)
def test_the_last_error_is_that_of_the_last_child(tmp_path: Path, output: str, expected: str) -> None:
    (tmp_path / "log").write_text(output)
    assert last_error(tmp_path / "log") == expected
