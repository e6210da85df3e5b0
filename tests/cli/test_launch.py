"""Processes that are all started at once, as by torchrun and Slurm, on one machine and with gloo."""

from __future__ import annotations

import csv
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning.fabric.plugins.environments.lightning import find_free_network_port

from tests.cli.conftest import Project
from tests.warm_start import COLD

PATIENCE_S = 400  # starting Python with torch takes most of it on a busy machine


def torchrun(*options: str) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", *options, "-m", "lightning_emorec"]


def start(command: list[str], folder: Path, **variables: str) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    return COLD(
        command,
        cwd=folder,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path]),
            **variables,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def ends(*processes: subprocess.Popen[str]) -> list[tuple[int, str]]:
    """Exit status and output of each; none is left behind."""
    try:
        outputs = [process.communicate(timeout=PATIENCE_S)[0] for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    return [(process.returncode, output) for process, output in zip(processes, outputs, strict=True)]


def as_slurm_tasks(command: list[str], folder: Path) -> list[tuple[int, str]]:
    """Run a command as two tasks of one machine."""
    common = {
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_NNODES": "1",
        "SLURM_NODEID": "0",
        "SLURM_JOB_ID": "1234",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(find_free_network_port()),
    }
    ranks = ({**common, "SLURM_PROCID": rank, "SLURM_LOCALID": rank} for rank in ("0", "1"))
    return ends(*[start(command, folder, **variables) for variables in ranks])


def rewrite(project: Project, old: str, new: str, **model: Any) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(Path(project.config(old)).read_text())
    config["name"] = new
    config["model"]["init_args"].update(model)
    return config


def column(project: Project, run: str, name: str) -> list[float]:
    with (project.runs / run / "metrics.csv").open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


def test_two_machines_train_the_branches_and_fuse_them_as_one_run(project: Project) -> None:
    port = str(find_free_network_port())
    machines = []
    for rank in ("0", "1"):
        where = ["--nnodes=2", f"--node_rank={rank}", "--master_addr=127.0.0.1", f"--master_port={port}"]
        fit = ["fit", "--config", project.config("fused"), "--data.cache", f"cache-{rank}"]
        runs = [
            "--runs",
            str(project.runs) if rank == "0" else "not-asked",
        ]  # the first machine's word counts
        machines.append(
            start([*torchrun(*where, "--nproc_per_node=1"), *fit, *runs], project.folder / f"machine-{rank}")
        )
    (status, output), (other_status, other_output) = ends(*machines)
    assert (status, other_status) == (0, 0), output + other_output
    assert sorted(path.name for path in project.runs.iterdir()) == ["branches", "fused"]
    assert not (project.folder / "machine-1" / "not-asked").exists()
    assert output.count("MEMBER: 1/2") == other_output.count("MEMBER: 2/2") == 2  # for either branch
    with (project.runs / "fused" / "predictions.csv").open(newline="") as file:
        clips = [(row["clip"], row["split"]) for row in csv.DictReader(file)]
    assert len(clips) == len(set(clips)) == 18  # 9 validate and 9 test: an odd number on two ranks

    project.run("fit", "--config", project.config("fused"))  # in one process, over the same branches
    two, one = project.metrics("fused"), project.metrics("fused-2")
    assert two["branches"]["audio"]["val"]["pitch"] == pytest.approx(
        one["branches"]["audio"]["val"]["pitch"], abs=1e-6
    )
    assert two["test"]["pitch"] == pytest.approx(one["test"]["pitch"], abs=1e-6)


def test_two_processes_learn_as_one_does_with_the_same_global_batch(project: Project) -> None:
    still = dict.fromkeys(("dropout", "stretch", "mel_scale", "mel_shift"), 0.0)
    config = rewrite(project, "audio", "one", **still, freq_masks=0, time_masks=0)
    gain = {"class_path": "audiomentations.Gain", "init_args": {"p": 1.0}}
    # Crops of one length: batch norms count padding, and that differs with the clips of a rank.
    config["data"] |= {"crop_s": 0.2, "batch_size": 8, "augment": [gain]}
    config["trainer"]["max_epochs"] = 3
    file = project.write("one", config)
    project.run("fit", "--config", file)
    two = ["--name", "two", "--data.batch_size", "4", "--trainer.sync_batchnorm", "true"]
    port = f"--master_port={find_free_network_port()}"
    command = [*torchrun("--nproc_per_node=2", port), "fit", "--config", file, *two]
    ((status, output),) = ends(start([*command, "--runs", str(project.runs)], project.folder))
    assert status == 0, output
    # Sums of float32 in another order, through 15 steps of Adam; seen were 3e-7.
    assert column(project, "two", "train/loss") == pytest.approx(
        column(project, "one", "train/loss"), abs=1e-4
    )
    ones, twos = (
        torch.load(project.runs / run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in ("one", "two")
    )
    for name in ("log_mel.mean", "log_mel.variance", "log_mel.frames_heard"):
        torch.testing.assert_close(twos[name], ones[name], rtol=1e-5, atol=1e-5)


def test_processes_share_the_features_of_a_model_that_one_of_them_solves(project: Project) -> None:
    config = rewrite(project, "audio", "svc")
    config["model"] = {"class_path": "FunctionalsSvc", "init_args": {"functionals": "librosa"}}
    config["trainer"]["max_epochs"] = 0
    port = f"--master_port={find_free_network_port()}"
    command = [*torchrun("--nproc_per_node=2", port), "fit", "--config", project.write("svc", config)]
    place = ["--runs", str(project.runs), "--data.cache", str(project.folder / "cache")]
    ((status, output),) = ends(start([*command, *place], project.folder))
    assert status == 0, output
    assert "27/27" in output  # the first process's half of 54 clips
    (database,) = (project.folder / "cache" / "features").glob("*.sqlite")
    assert sqlite3.connect(database).execute("SELECT count(*) FROM features").fetchone() == (54,)
    assert project.metrics("svc")["test"]["pitch"]["clips"] == 9


def test_slurm_tasks_train_one_run_together(project: Project) -> None:
    command = [sys.executable, "-m", "lightning_emorec", "fit", "--config", project.config("text")]
    tasks = as_slurm_tasks([*command, "--runs", str(project.runs)], project.folder)
    assert [status for status, _ in tasks] == [0, 0], tasks
    assert [path.name for path in project.runs.iterdir()] == ["text"]
    assert "MEMBER: 2/2" in tasks[1][1]
    assert project.metrics("text")["test"]["pitch"]["clips"] == 9


def test_where_the_first_process_fails_the_others_say_why(project: Project) -> None:
    command = [sys.executable, "-m", "lightning_emorec", "fit", "--config", project.config("text")]
    absent = ["--data.split.init_args.val", "[99]", "--runs", str(project.runs)]
    first, second = as_slurm_tasks([*command, *absent], project.folder)
    assert (first[0], second[0]) == (2, 2), first[1] + second[1]
    assert "error: expected clips of every actor in 'val'" in first[1]
    assert "found it stopped: expected clips of every actor in 'val'" in second[1]
