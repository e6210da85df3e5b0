"""With a shell script in place of `fit`: what is tested is how children are started, watched and stopped."""

from __future__ import annotations

import _thread
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lightning_emorec.commands.crossval.folds import outer_folds
from lightning_emorec.commands.crossval.jobs import FitStep, FoldJob
from lightning_emorec.commands.crossval.run import FoldWorker, Outcome, run_folds
from lightning_emorec.jobs import child, pool
from lightning_emorec.jobs.environments import environments
from lightning_emorec.runs.folder import try_lock_folder
from tests.unit.commands.crossval.conftest import ravdess

FOLD = outer_folds(2, 1, ravdess(range(1, 7)))[0]

HEAD = """#!/bin/sh
folder=$(sed -n 's/^folder: //p' "$5")
mkdir -p "$folder/logits"
"""
FINISH = """touch "$folder/logits/test.pt" "$folder/done"
"""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "POLL_S", 0.01)


@pytest.fixture
def fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes `fit` a script that knows `$folder`, its run folder."""

    def make(body: str) -> None:
        script = tmp_path / "fit.sh"
        script.write_text(HEAD + body)
        script.chmod(0o755)
        monkeypatch.setattr(child.sys, "executable", str(script))

    return make


def cell(tmp_path: Path, index: int, steps: int = 1) -> FoldJob:
    folder = tmp_path / f"seed1-fold{index}"
    made = [
        FitStep(f"step {n}", folder / f"run{n}", {"folder": str(folder / f"run{n}")}) for n in range(steps)
    ]
    return FoldJob(1, FOLD, folder, made[0], {}, {"sound": made[1:]}, "print")


def test_the_fits_of_a_cell_are_run_in_order_and_it_is_finished_once(tmp_path: Path, fit: Any) -> None:
    fit(f'basename "$folder" >> "{tmp_path}/order"\n' + FINISH)
    finished: list[str] = []
    outcome = run_folds([cell(tmp_path, 0, steps=3)], 1, lambda of: finished.append(of.name))
    assert (tmp_path / "order").read_text().split() == ["run0", "run1", "run2"]
    assert finished == ["seed1-fold0"]
    assert not outcome.failed


def test_a_fit_that_is_done_is_not_started(tmp_path: Path, fit: Any) -> None:
    fit(f'basename "$folder" >> "{tmp_path}/order"\n' + FINISH)
    run_folds([cell(tmp_path, 0, steps=1)], 1, lambda of: None)
    run_folds([cell(tmp_path, 0, steps=2)], 1, lambda of: None)
    assert (tmp_path / "order").read_text().split() == ["run0", "run1"]


def test_several_cells_run_at_a_time(tmp_path: Path, fit: Any) -> None:
    # Each waits for the other to start.
    fit(
        f'touch "{tmp_path}/$$.up"\nwhile [ "$(ls "{tmp_path}" | grep -c up)" -lt 2 ]; do sleep 0.01; done\n'
        + FINISH
    )
    outcome = run_folds([cell(tmp_path, 0), cell(tmp_path, 1)], 2, lambda of: None)
    assert not outcome.failed


def test_a_failure_shows_the_last_line_and_does_not_stop_the_others(tmp_path: Path, fit: Any) -> None:
    fit('case "$folder" in *fold0*) echo "some line"; echo "error: no luck"; echo; exit 2;; esac\n' + FINISH)
    finished: list[str] = []
    cells = [cell(tmp_path, 0), cell(tmp_path, 1)]
    outcome = run_folds(cells, 1, lambda of: finished.append(of.name))
    assert finished == ["seed1-fold1"]
    assert "exit status 2, and last: error: no luck" in str(outcome.failed["seed1-fold0"])
    assert "some line" in (cells[0].folder / "fit.log").read_text()


def test_a_fit_that_ends_well_and_leaves_nothing_has_failed(tmp_path: Path, fit: Any) -> None:
    fit("exit 0\n")
    outcome = run_folds([cell(tmp_path, 0)], 1, lambda of: None)
    assert "exit status 0" in str(outcome.failed["seed1-fold0"])


def test_a_cell_that_another_process_is_at_work_on_is_left_to_it(tmp_path: Path, fit: Any) -> None:
    fit(FINISH)
    held = try_lock_folder(cell(tmp_path, 0).folder)
    assert held is not None
    outcome = run_folds([cell(tmp_path, 0), cell(tmp_path, 1)], 1, lambda of: None)
    held.close()
    assert outcome.elsewhere == ["seed1-fold0"]
    assert not cell(tmp_path, 0).run.is_done
    assert cell(tmp_path, 1).run.is_done


def test_ctrl_c_interrupts_every_fit_and_keeps_what_is_done(tmp_path: Path, fit: Any) -> None:
    fit(
        'case "$folder" in *fold0*) ' + FINISH.strip() + "; exit 0;; esac\n"
        'trap \'touch "$folder/checkpoint"; exit 130\' INT\ntouch "$folder/up"\nwhile :; do sleep 0.02; done\n'
    )
    cells = [cell(tmp_path, index) for index in range(3)]

    def press() -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and len(list(tmp_path.rglob("up"))) < 2:
            time.sleep(0.02)
        _thread.interrupt_main()

    pressing = threading.Thread(target=press)
    pressing.start()
    finished: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run_folds(cells, 2, lambda of: finished.append(of.name))
    pressing.join()
    assert finished == ["seed1-fold0"]
    assert all((of.run.folder / "checkpoint").is_file() for of in cells[1:])
    free = [try_lock_folder(of.folder) for of in cells]
    assert None not in free
    for file in free:
        assert file is not None
        file.close()


def test_a_fit_that_ignores_ctrl_c_is_ended(
    tmp_path: Path, fit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "PATIENCE_S", 0.2)
    fit("trap '' INT\n" + 'echo $$ > "$folder/pid"\nwhile :; do sleep 0.02; done\n')
    worker = FoldWorker(cell(tmp_path, 0), lambda of: None, Outcome())
    running = next(worker.run(dict(os.environ)))
    pid_file = cell(tmp_path, 0).run.folder / "pid"
    while not (pid_file.is_file() and pid_file.read_text().strip()):
        time.sleep(0.02)
    running.interrupt()
    running.wait()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_a_fit_that_outlives_us_keeps_its_cell_locked(tmp_path: Path, fit: Any) -> None:
    fit(f'while ! [ -e "{tmp_path}/go" ]; do sleep 0.02; done\n' + FINISH)
    made = cell(tmp_path, 0)
    work = FoldWorker(made, lambda of: None, Outcome()).run(dict(os.environ))
    next(work)
    work.close()  # gives the lock back, as a killed process would
    refused = try_lock_folder(made.folder) is None
    (tmp_path / "go").touch()  # before anything is asserted: nothing else ends the script
    assert refused
    deadline = time.monotonic() + 20
    while (free := try_lock_folder(made.folder)) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert free is not None
    free.close()
    assert made.run.is_done


def test_children_are_no_part_of_a_launch_around_them(monkeypatch: pytest.MonkeyPatch) -> None:
    launched = {"TORCHELASTIC_RUN_ID": "none", "RANK": "0", "WORLD_SIZE": "2", "SLURM_NTASKS": "2"}
    for name, value in launched.items():
        monkeypatch.setenv(name, value)
    for environment in environments(jobs=2):
        assert environment.keys().isdisjoint(launched)
