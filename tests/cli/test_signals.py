"""A scheduler ends a run: SIGTERM when it is pre-empted, SIGUSR1 before its time limit."""

from __future__ import annotations

import os
import signal
import time

import pytest
import torch

from tests.cli.conftest import Project
from tests.cli.test_resume import LONG, LONG_BRANCH, branch_folder, epochs, wait_for_epoch


def stop(project: Project, which: signal.Signals, status: int) -> None:
    process = project.start("fit", "--config", project.config("text"), *LONG)
    wait_for_epoch(project.runs / "text", 2)
    process.send_signal(which)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == status, out
    told = "interrupted" if which is signal.SIGINT else f"stopped by {which.name}"
    *_, before, line = out.strip().splitlines()
    assert line == f"{told}: run the same command again to go on from what is done"
    assert "of 40, which will begin again" in before
    assert "Traceback" not in out


@pytest.mark.parametrize(("which", "status"), [(signal.SIGUSR1, 138), (signal.SIGINT, 130)])
def test_a_stopped_run_says_what_stopped_it(project: Project, which: signal.Signals, status: int) -> None:
    stop(project, which, status)


def test_a_pre_empted_run_goes_on_from_last_to_the_same_weights(project: Project) -> None:
    stop(project, signal.SIGTERM, 143)
    command = ("fit", "--config", project.config("text"), *LONG)
    project.run(*command, "--ckpt_path", "last")
    seen = epochs(project.runs / "text")
    assert sorted(set(seen)) == list(range(40))
    assert len(seen) <= 41  # at most the epoch it was stopped in was begun again
    project.run(*command, "--name", "straight")
    torch.testing.assert_close(weights(project, "text"), weights(project, "straight"), rtol=0, atol=0)


def weights(project: Project, run: str) -> dict[str, torch.Tensor]:
    file = project.runs / run / "checkpoints" / "last.ckpt"
    state = torch.load(file, weights_only=True)["state_dict"]
    return {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}


def test_a_fused_run_passes_sigterm_on_to_the_branch_it_trains(project: Project) -> None:
    process = project.start("fit", "--config", project.config("fused"), *LONG_BRANCH)
    deadline = time.monotonic() + 120
    while not list(project.runs.glob("branches/text-*/metrics.csv")) and time.monotonic() < deadline:
        time.sleep(0.01)
    wait_for_epoch(branch_folder(project, "text"), 1)
    process.terminate()  # this process alone, as `kill PID` does
    out, _ = process.communicate(timeout=120)  # ends when the branch, which writes there too, has ended
    assert process.returncode == 143, out
    assert out.count("stopped by SIGTERM") == 2
    assert (branch_folder(project, "text") / "checkpoints" / "last.ckpt").is_file()
    assert not (branch_folder(project, "text") / "done").exists()


def test_two_processes_stop_at_sigterm(project: Project) -> None:
    two = ("--trainer.devices=2", "--trainer.strategy=ddp")
    process = project.start("fit", "--config", project.config("text"), *LONG, *two, cold=True)
    wait_for_epoch(project.runs / "text", 1)
    os.killpg(process.pid, signal.SIGTERM)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 143, out
    assert (project.runs / "text" / "checkpoints" / "last.ckpt").is_file()
