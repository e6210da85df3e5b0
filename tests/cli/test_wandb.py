"""Runs that log to W&B, offline: what they leave in their folder."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb

from tests import wandb_file
from tests.cli.conftest import Project, make_project
from tests.conftest import CONFIGS

LOGGER = ("--trainer.logger", str(CONFIGS / "logger" / "wandb.yaml"))
OFFLINE = (*LOGGER, "--trainer.logger.init_args.offline=true")


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of W&B is written into the user's folders, nor said between the tests' lines."""
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("WANDB_SILENT", "true")


@pytest.fixture(scope="module")
def fused(tmp_path_factory: pytest.TempPathFactory, tones: Path) -> Iterator[Project]:
    """A fused run, then another in the same process."""
    project = make_project(tmp_path_factory.mktemp("wandb"), tones)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMOREC_CACHE", str(project.folder / "cache"))
        project.run("fit", "--config", project.config("fused"), *OFFLINE)
        project.run("fit", "--config", project.config("fused"), *OFFLINE, "--seed_everything=1")
    yield project
    wandb.teardown()


def test_a_fused_run_sends_its_config_once_by_dotted_names(fused: Project) -> None:
    config = wandb_file.config(fused.runs / "fused")
    assert config["data.split.init_args.test"] == [6]
    assert config["model.init_args.branches.text.trainer.max_epochs"] == 2
    assert not [key for key in config if key in ("tasks", "branches", "model")]


def test_a_fused_run_sends_scores_charts_and_files(fused: Project) -> None:
    folder = fused.runs / "fused"
    rows, summary = wandb_file.history(folder), wandb_file.summary(folder)
    scores = fused.metrics("fused")
    logged = {key: value for row in rows for key, value in row.items()}
    for part in ("val", "test"):
        assert logged[f"{part}/pitch/uar"] == pytest.approx(scores[part]["pitch"]["uar"], abs=1e-6)
        assert f"{part}/pitch/confusion_table.path" in logged
    assert {"curves/audio_table.path", "curves/text_table.path", "weights_table.path", "report.path"} <= {
        *logged
    }
    weights = {name: summary[f"fusion/weights/{name}"] for name in ("text", "audio")}
    assert weights == pytest.approx(scores["fusion"]["weights"], abs=1e-6)
    assert summary["branches/text/val/pitch/uar"] == scores["branches"]["text"]["val"]["pitch"]["uar"]
    assert wandb_file.exit_code(folder) == 0


def test_a_fused_run_sends_the_report_and_the_checkpoint_from_offline_too(fused: Project) -> None:
    found = wandb_file.artifacts(fused.runs / "fused")
    assert found["model"] == ["best.ckpt"]
    assert {"report.html", "metrics.json", "predictions.csv", "config.yaml", "metrics.csv"} <= {
        *found["results"]
    }


def test_the_branches_of_a_fused_run_have_no_run_of_their_own(fused: Project) -> None:
    assert not list((fused.runs / "branches").glob("*/wandb"))


def test_runs_in_one_process_do_not_collide(fused: Project) -> None:
    first, second = ((fused.runs / name / "wandb_id").read_text() for name in ("fused", "fused-2"))
    assert first != second
    assert len(wandb_file.history(fused.runs / "fused-2")) == len(wandb_file.history(fused.runs / "fused"))


def test_epochs_are_logged_to_wandb_and_to_metrics_csv(project: Project) -> None:
    no_model = "--trainer.logger.init_args.log_model=false"
    project.run("fit", "--config", project.config("text"), *OFFLINE, no_model)
    rows = wandb_file.history(project.runs / "text")
    with (project.runs / "text" / "metrics.csv").open(newline="") as file:
        kept = [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]
    assert [row["train/loss"] for row in rows if "train/loss" in row] == pytest.approx(kept)
    assert len(kept) == 2
    assert "model" not in wandb_file.artifacts(project.runs / "text")


def test_a_run_that_fails_is_failed_on_wandb(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no more")

    monkeypatch.setattr("lightning_emorec.cli.finish", fail)
    with pytest.raises(RuntimeError, match="no more"):
        project.run("fit", "--config", project.config("text"), *OFFLINE)
    assert wandb_file.exit_code(project.runs / "text") == 1


def test_a_run_interrupted_in_training_is_failed_on_wandb(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    long = ("--trainer.max_epochs=4000", "--data.batch_size=2")
    process = project.start("fit", "--config", project.config("text"), *LOGGER, *long)
    metrics, deadline = project.runs / "text" / "metrics.csv", time.monotonic() + 120
    while not metrics.is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode != 0, said
    assert wandb_file.exit_code(project.runs / "text") == process.returncode


def test_a_run_that_does_not_choose_wandb_does_not_import_it(project: Project) -> None:
    code = "import sys; from lightning_emorec.__main__ import main; main(sys.argv[1:]); print('wandb' in sys.modules)"
    command = ["fit", "--config", project.config("text"), "--runs", str(project.runs)]
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"
