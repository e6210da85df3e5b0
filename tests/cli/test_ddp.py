"""Two processes on one machine; started as a user would, since each rank runs the command again."""

from __future__ import annotations

import csv

import pytest

from tests.cli.conftest import Project

TWO = ("--trainer.devices=2", "--trainer.strategy=ddp", "--data.batch_size=4")


def test_two_processes_judge_each_clip_once_and_as_one_process_does(project: Project) -> None:
    process = project.start("fit", "--config", project.config("audio"), *TWO, cold=True)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    assert [path.name for path in project.runs.iterdir()] == [
        "audio"
    ]  # the second rank took no folder of its own
    with (project.runs / "audio" / "predictions.csv").open(newline="") as file:
        clips = [(row["clip"], row["split"]) for row in csv.DictReader(file)]
    assert len(clips) == len(set(clips)) == 18

    project.run("validate", "--ckpt_path", str(project.runs / "audio" / "checkpoints" / "best.ckpt"))
    two, one = (project.metrics(run)["val"]["pitch"] for run in ("audio", "audio-validate"))
    assert two == pytest.approx(one, abs=1e-6)


def test_a_fused_run_on_two_processes_solves_the_same_weights(project: Project) -> None:
    process = project.start("fit", "--config", project.config("fused"), *TWO, cold=True)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    assert sorted(path.name for path in project.runs.iterdir()) == ["branches", "fused"]
    project.run(
        "fit", "--config", project.config("fused")
    )  # devices are not in the fingerprint: branches are reused
    two, one = project.metrics("fused"), project.metrics("fused-2")
    assert two["fusion"]["weights"] == pytest.approx(one["fusion"]["weights"], abs=1e-6)
    assert two["test"]["pitch"] == pytest.approx(one["test"]["pitch"], abs=1e-6)
