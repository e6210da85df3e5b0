from __future__ import annotations

import csv
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from optuna.trial import TrialState

from lightning_emorec.commands.sweep.page import write_sweep_page
from lightning_emorec.commands.sweep.results import write_results
from lightning_emorec.commands.sweep.study import SharedStudy
from lightning_emorec.commands.sweep.trial import run_trials

Open = Callable[..., SharedStudy]


def run(study: SharedStudy, jobs: int = 1) -> SharedStudy:
    run_trials(study, [], jobs, lambda: write_results(study))
    return study


def table(study: SharedStudy) -> list[dict[str, str]]:
    with (study.folder / "trials.csv").open(newline="", encoding="utf8") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_emorec.jobs.pool.POLL_S", 0.02)


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_trial_is_run_and_the_best_config_is_kept(jobs: int, shared: Open) -> None:
    study = run(shared(), jobs)
    assert [(row["x"], row["state"], row["val/emotion/uar"]) for row in table(study)] == [
        ("10", "done", "0.100000"),
        ("30", "done", "0.300000"),
        ("20", "done", "0.200000"),
    ]
    text = (study.folder / "best.yaml").read_text(encoding="utf8")
    assert text.startswith(f"# python -m lightning_emorec fit --config {study.folder / 'best.yaml'}\n")
    assert yaml.safe_load(text) == {
        "name": "tiny_best",
        "test_after_fit": True,
        "x": 30,
        "trainer": {"max_epochs": 3},
    }


def test_the_best_epoch_judged_once_more_is_no_epoch(shared: Open) -> None:
    study = run(shared())
    assert [trial.last_step for trial in study.trials] == [3, 3, 3]
    assert study.trials[0].intermediate_values == pytest.approx({1: 0.1, 2: 0.101, 3: 0.102})


def test_the_goal_minimize_prefers_lower_scores(shared: Open) -> None:
    study = run(shared(metric={"name": "val/emotion/uar", "goal": "minimize"}))
    assert study.best is not None
    assert study.best.params == {"x": 10}


def test_a_failed_trial_is_kept_with_its_reason_and_does_not_end_the_sweep(shared: Open) -> None:
    study = run(shared(parameters={"x": {"values": [13, 12, 5]}}))
    failed, without, done = table(study)
    assert failed["reason"] == "exit status 1: error: expected luck; found 13; choose another x"
    assert "val/emotion/uar was not logged" in without["reason"]
    assert [row["state"] for row in (failed, without, done)] == ["failed", "failed", "done"]
    page = write_sweep_page(study).read_text(encoding="utf8")
    assert "expected luck; found 13" in page
    assert "2 failed" in page


def test_what_is_done_is_not_run_again(shared: Open) -> None:
    run(shared(trials=2))
    study = run(shared(trials=3))
    starts = [(study.folder_of(number) / "run" / "starts").read_text() for number in range(3)]
    assert starts == ["x", "x", "x"]


def test_a_trial_that_falls_behind_is_stopped(shared: Open) -> None:
    hyperband = {"type": "hyperband", "min_iter": 1, "max_iter": 2}
    study = run(shared(parameters={"x": {"values": [90, 11]}}, early_terminate=hyperband))
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE, TrialState.PRUNED]
    assert not (study.folder_of(1) / "run" / "done").exists()
    assert study.best is not None
    assert study.best.number == 0


def test_an_interrupted_sweep_goes_on_with_the_trial_it_was_in(shared: Open) -> None:
    slow: dict[str, Any] = {"parameters": {"x": {"values": [1, 2]}, "nap": {"value": 0.5}}}
    study = shared(**slow)

    def interrupt() -> None:
        while not (study.folder_of(1) / "run" / "starts").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        run(study)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE, TrialState.RUNNING]
    again = run(shared(**slow))
    assert [trial.state for trial in again.trials] == [TrialState.COMPLETE] * 2
    assert (again.folder_of(0) / "run" / "starts").read_text() == "x"
    assert (again.folder_of(1) / "run" / "starts").read_text() == "xx"


def test_a_run_that_outlived_a_killed_sweep_is_only_read(shared: Open) -> None:
    claim = shared().claim()
    assert claim is not None
    claim.lock.close()
    folder = claim.folder / "run"
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text("epoch,val/emotion/uar\n0,0.4\n1,0.7\n")
    (folder / "config.yaml").write_text("name: trial\ntrainer: {max_epochs: 1}\n")
    (folder / "done").touch()
    study = run(shared(trials=1))
    assert [trial.value for trial in study.trials] == [0.7]
    assert not (folder / "starts").exists()


def test_what_another_config_left_unfinished_is_not_taken_for_the_trial_s_score(shared: Open) -> None:
    claim = shared().claim()
    assert claim is not None
    claim.lock.close()
    folder = claim.folder / "run"
    folder.mkdir(parents=True)
    (folder / "began-as").write_text("another x")
    (folder / "metrics.csv").write_text("epoch,val/emotion/uar\n0,0.9\n")
    (folder / "config.yaml").write_text("name: trial\ntrainer: {max_epochs: 3}\n")
    (row,) = table(run(shared(trials=1)))
    assert (claim.folder / "run-2" / "done").is_file()
    assert row["state"] == "failed"
    assert "begun with another config, data or version: set another --name" in row["reason"]


def test_the_page_needs_no_network_and_shows_history_importance_and_the_best(shared: Open) -> None:
    study = run(shared(parameters={"x": {"values": [1, 2, 3, 4]}, "y": {"values": ["<a>", "b"]}}))
    page = write_sweep_page(study).read_text(encoding="utf8")
    assert page.count("<svg") == 2
    assert "http" not in page.replace("http://www.w3.org", "").replace("http-equiv", "")
    assert "&lt;a&gt;" in page
    assert "0.0400" in page
    assert Path(study.folder / "sweep.html").is_file()
