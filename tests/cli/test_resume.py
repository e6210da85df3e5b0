from __future__ import annotations

import csv
import os
import signal
import time
from pathlib import Path

import pytest
import torch

from lightning_emorec.part_logits import PartLogits
from tests.cli.conftest import Project

LONG = ("--trainer.max_epochs=40", "--data.batch_size=2")
LONG_BRANCH = tuple(f"--model.init_args.overrides.text.{knob.removeprefix('--')}" for knob in LONG)


def epochs(folder: Path) -> list[int]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [int(row["epoch"]) for row in csv.DictReader(file) if row.get("train/loss")]


def wait_for_epoch(folder: Path, epoch: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if (folder / "metrics.csv").is_file() and max(epochs(folder), default=-1) >= epoch:
            return
        time.sleep(0.01)
    raise TimeoutError(f"no epoch {epoch} in {folder}")


def branch_folder(project: Project, name: str) -> Path:
    return next((project.runs / "branches").glob(f"{name}-*"))


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_a_run_killed_in_mid_training_goes_on_to_the_same_end(project: Project, kill: signal.Signals) -> None:
    process = project.start("fit", "--config", project.config("text"), *LONG)
    wait_for_epoch(project.runs / "text", 2)
    os.killpg(process.pid, kill)
    out, _ = process.communicate(timeout=60)
    assert process.returncode != 0, out
    assert not (project.runs / "text" / "done").exists()
    killed_at = max(epochs(project.runs / "text"))

    cli = project.run("fit", "--config", project.config("text"), *LONG)
    assert cli.trainer.current_epoch == 40
    seen = epochs(project.runs / "text")
    assert seen[-1] == 39
    assert sorted(set(seen)) == list(range(40))
    assert len(seen) <= 41  # at most the epoch it was killed in was begun again
    assert killed_at < 39

    project.run("fit", "--config", project.config("text"), *LONG)
    resumed, straight = (
        PartLogits.load(project.runs / name / "logits" / "test.pt") for name in ("text", "text-2")
    )
    torch.testing.assert_close(resumed.logits["pitch"], straight.logits["pitch"], rtol=0, atol=0)


def test_a_fused_run_killed_in_a_branch_goes_on_in_that_branch(project: Project) -> None:
    command = ("fit", "--config", project.config("fused"), *LONG_BRANCH)
    process = project.start(*command)
    deadline = time.monotonic() + 120
    while not list(project.runs.glob("branches/text-*/metrics.csv")) and time.monotonic() < deadline:
        time.sleep(0.01)
    wait_for_epoch(branch_folder(project, "text"), 2)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    project.run(*command)
    seen = epochs(branch_folder(project, "text"))
    assert sorted(set(seen)) == list(range(40))
    assert len(seen) <= 41
    assert "test" in project.metrics("fused")
    assert not (project.runs / "fused-2").exists()


def test_a_checkpoint_is_not_trained_further_with_other_hyper_parameters(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.run("fit", "--config", project.config("text"))
    last = project.runs / "text" / "checkpoints" / "last.ckpt"
    with pytest.raises(SystemExit) as stop:
        project.run(
            "fit", "--config", project.config("text"), "--ckpt_path", str(last), "--model.init_args.lr=0.5"
        )
    assert stop.value.code == 2
    assert "lr 0.5 where it has" in capsys.readouterr().err


def test_a_run_that_began_from_a_file_goes_on_from_its_own_last_epoch(project: Project) -> None:
    project.run("fit", "--config", project.config("text"))
    file = project.runs / "text" / "checkpoints" / "last.ckpt"
    command = ("fit", "--config", project.config("text"), "--name=more", "--trainer.max_epochs=4")
    project.run(*command, "--ckpt_path", str(file))
    (project.runs / "more" / "done").unlink()  # as if it had been stopped after its last epoch
    project.run(*command)
    assert epochs(project.runs / "more-2") == [0, 1, 2, 3]  # begun from nothing, it is another run
    project.run(*command, "--ckpt_path", str(file))
    assert epochs(project.runs / "more") == [2, 3]
    assert (project.runs / "more" / "done").is_file()


def test_last_without_a_checkpoint_to_resume_from_is_an_error(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        project.run("fit", "--config", project.config("text"), "--ckpt_path", "last")
    assert "expected a checkpoint to resume from" in capsys.readouterr().err
