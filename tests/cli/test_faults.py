"""Faults in the middle of a run: one line that names them, and nothing lost that was computed before."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_emorec.audio import AudioStore
from lightning_emorec.branches import GradientBranch
from lightning_emorec.errors import EmorecError, line_and_status
from lightning_emorec.types import Logits
from tests.cli.conftest import Project
from tests.cli.test_errors import damaged, error_of
from tests.cli.test_resume import LONG, epochs, wait_for_epoch


def workers_of(pid: int) -> list[int]:
    """A loader's processes: forks of the command itself."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if Path(f"/proc/{child}/cmdline").read_bytes() == command]


def test_a_worker_that_is_gone_while_its_batch_is_taken_over_is_told_too() -> None:
    def rebuild_storage_fd() -> None:  # torch's name
        raise ConnectionResetError(104, "Connection reset by peer")

    with pytest.raises(ConnectionResetError) as caught:
        rebuild_storage_fd()
    told = line_and_status(caught.value)
    assert told is not None
    assert told[0].startswith(
        "error: expected every data.workers process to stay alive; found DataLoader worker (pid"
    )
    assert told[1] == 2
    assert line_and_status(ConnectionResetError(104, "of something else")) is None


@pytest.mark.skipif(not Path("/proc/self/cmdline").is_file(), reason="finds the workers in /proc")
def test_a_killed_worker_is_told_with_what_to_do_and_the_run_goes_on(project: Project) -> None:
    command = ("fit", "--config", project.config("text"), *LONG, "--data.workers=2")
    process = project.start(*command, cold=True)
    wait_for_epoch(project.runs / "text", 1)
    deadline = time.monotonic() + 60
    while (
        process.poll() is None and time.monotonic() < deadline
    ):  # one that has just done its epoch is not missed
        with suppress(OSError):  # it may end while it is looked at
            for worker in workers_of(process.pid)[:1]:
                os.kill(worker, signal.SIGKILL)
        time.sleep(0.02)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 2, out
    # Torch hears of a death at any moment; in a loader that is just being closed, it reports and ignores it.
    assert out.count("Traceback") == out.count("Exception ignored in")
    line = out.strip().splitlines()[-1]
    assert line.startswith(
        "error: expected every data.workers process to stay alive; found DataLoader worker (pid"
    )
    assert "fewer --data.workers" in line
    project.run(*command)
    assert sorted(set(epochs(project.runs / "text"))) == list(range(40))
    assert (project.runs / "text" / "done").is_file()


def test_an_error_in_a_worker_is_one_line(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(self: AudioStore, path: Path) -> np.ndarray:
        raise EmorecError("an audio file", f"no file {path}", "restore it")

    monkeypatch.setattr(AudioStore, "load", gone)  # workers are forks of this process
    said = error_of(project, capsys, "fit", "--config", project.config("audio"), "--data.workers=1")
    line = said.strip().splitlines()[-1]
    assert line.startswith("error: expected an audio file; found no file ")
    assert line.endswith("; restore it")


def test_a_loss_that_is_not_finite_names_its_clips_and_keeps_the_epochs_before(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = GradientBranch.loss

    def broken(self: GradientBranch, logits: Logits, labels: dict[str, torch.Tensor]) -> torch.Tensor:
        return loss(self, logits, labels) * (float("nan") if self.current_epoch == 1 else 1.0)

    with monkeypatch.context() as patch:
        patch.setattr(GradientBranch, "loss", broken)
        said = error_of(project, capsys, "fit", "--config", project.config("text"))
    assert "expected a finite loss; found nan in epoch 1 on clips " in said
    assert ".wav" in said
    last = torch.load(project.runs / "text" / "checkpoints" / "last.ckpt", weights_only=True)
    assert all(
        value.isfinite().all() for value in last["state_dict"].values() if isinstance(value, torch.Tensor)
    )

    project.run("fit", "--config", project.config("text"))
    assert epochs(project.runs / "text") == [0, 1]  # the first was not trained again
    project.run("fit", "--config", project.config("text"), "--name", "straight")
    assert predictions(project, "text") == predictions(project, "straight")


def predictions(project: Project, run: str) -> str:
    return (project.runs / run / "predictions.csv").read_text()


def spoil(folder: Path) -> list[str]:
    """One clip that is cut short, one that is no audio and one that is gone, each of another part."""
    cut, other, gone = (folder / name for name in ("1-low-0.wav", "5-low-0.wav", "6-low-0.wav"))
    cut.write_bytes(cut.read_bytes()[:-4000])
    other.write_text("this is no audio")
    gone.unlink()
    return [cut.name, other.name, gone.name]


def test_unreadable_clips_stop_the_run_unless_told_otherwise(
    project: Project, tones: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, knob = damaged(project, tones)
    cut, other, gone = spoil(folder)
    said = error_of(project, capsys, "fit", "--config", project.config("audio"), knob)
    assert gone in said  # a file that is not there is found first
    (folder / gone).write_bytes((folder / "6-low-1.wav").read_bytes()[:-2])
    said = error_of(project, capsys, "fit", "--config", project.config("audio"), knob)
    assert "found 2 that are not: " in said
    assert cut in said
    assert other in said
    assert "--data.on_error skip" in said


@pytest.mark.parametrize("run", ["audio", "fused"])
def test_unreadable_clips_are_left_out_and_counted_where_that_is_asked_for(
    project: Project, tones: Path, capsys: pytest.CaptureFixture[str], run: str
) -> None:
    folder, knob = damaged(project, tones)
    spoiled = spoil(folder)
    command = ("fit", "--config", project.config(run), knob, "--data.on_error=skip", "--score_training=true")
    project.run(*command)
    assert "clips left out because their audio cannot be used: 3" in capsys.readouterr().out.replace(
        "\n", " "
    )
    metrics = project.metrics(run)
    assert sorted(metrics["skipped_clips"]) == spoiled
    assert "truncated" in metrics["skipped_clips"][spoiled[0]]
    assert [metrics[part]["pitch"]["clips"] for part in ("train", "val", "test")] == [35, 8, 8]
    assert "audio cannot be used: 3" in metrics["warnings"][0]
    assert "audio cannot be used: 3" in (project.runs / run / "report.html").read_text()
