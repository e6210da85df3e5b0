"""The real programs of W&B against a stand-in of its server: `wandb sync`, `wandb sweep` and `wandb agent`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Project
from tests.conftest import CONFIGS
from tests.wandb_server import SWEEP, WandbServer, wandb_server

ROOT = CONFIGS.parent
FUSION = ROOT / "sweeps" / "fusion.yaml"
PROGRAMS = Path(sys.executable).parent

KEPT = ("tfidf_svc", "transcript_gru")
"""Branches that the trials fuse: fast ones that need nothing but text."""


def call(server: WandbServer, folder: Path, *command: str) -> str:
    """What a program of W&B says, run in the repository and writing into `folder`."""
    environment = {
        **os.environ,
        **server.environment,
        **{f"WANDB_{kind}_DIR": str(folder / kind) for kind in ("CACHE", "CONFIG", "DATA")},
        "WANDB_DIR": str(folder),
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",  # the agent looks for `python` there
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("WANDB_MODE", None)
    program, *arguments = command
    done = subprocess.run(
        [str(PROGRAMS / program), *arguments],
        env=environment,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_wandb_sync_sends_an_offline_run_later(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_DATA_DIR", str(project.folder / "DATA"))
    fragment = str(CONFIGS / "logger" / "wandb.yaml")
    offline = ("--trainer.logger", fragment, "--trainer.logger.init_args.offline=true")
    # In a process of its own, whose end is when W&B has written all.
    process = project.start("fit", "--config", project.config("text"), *offline)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    folder = project.runs / "text"
    with wandb_server() as server:
        call(server, project.folder, "wandb", "sync", *map(str, folder.glob("wandb/offline-run-*")))
    ((run, record),) = server.runs.items()
    assert (run, record.name, record.project) == (
        (folder / "wandb_id").read_text(),
        "text",
        "lightning_emorec",
    )
    assert record.shown_config["model.init_args.transcript"] == "reference"
    assert record.summary["test/pitch/uar"] == pytest.approx(project.metrics("text")["test"]["pitch"]["uar"])
    assert record.artifacts[f"model-{run}"]["committed"]
    assert record.files[f"artifacts/results-{run}/report.html"] == (folder / "report.html").read_bytes()
    assert (record.exit_code, server.unknown) == (0, [])


@pytest.mark.slow
def test_the_real_agent_runs_two_trials_of_the_fusion_sweep(tmp_path: Path) -> None:
    sweep = yaml.safe_load(FUSION.read_text(encoding="utf8"))
    place = sweep["command"].index("${args}")
    sweep["command"][place:place] = tiny(tmp_path)
    file = tmp_path / "fusion.yaml"
    file.write_text(yaml.safe_dump(sweep), encoding="utf8")
    trials = [trial(sweep["parameters"], bound) for bound in ("min", "max")]
    with wandb_server(trials) as server:
        said = call(server, tmp_path, "wandb", "sweep", str(file))
        agent = re.search(r"Run sweep agent with: (wandb agent \S+)", said)
        assert agent, said
        said = call(server, tmp_path, *agent[1].split())
    assert [record.exit_code for record in server.runs.values()] == [0, 0], said
    for record, parameters in zip(server.runs.values(), trials, strict=True):
        assert record.sweep == SWEEP
        assert sweep["metric"]["name"] in record.summary
        ridge = "model.init_args.rule.init_args.ridge"
        assert record.shown_config[ridge] == parameters[ridge]
        assert not [key for row in record.history for key in row if key.startswith("test/")]
    folders = sorted(path.parent.name for path in (tmp_path / "runs").glob("*/done"))
    assert folders == ["all_branches", "all_branches-2"]
    assert len(list((tmp_path / "runs" / "branches").iterdir())) == len(KEPT)  # the second trial reused them
    assert server.unknown == []


def trial(parameters: dict[str, dict[str, Any]], bound: str) -> dict[str, Any]:
    """One value of each parameter: a range's bound, or the last of its values, by which branches are left out."""
    chosen = {
        name: space[bound] if bound in space else space["values"][-1] for name, space in parameters.items()
    }
    return {
        **chosen,
        **{f"model.init_args.branches.{name}": f"configs/branch/{name}.yaml" for name in KEPT},
    }


def tiny(folder: Path) -> list[str]:
    """Arguments by which a trial takes seconds: five synthetic actors, text branches, one epoch."""
    corpus = {
        "class_path": "Synthetic",
        "init_args": {"root": str(folder / "data"), "actors": 5, "repetitions": 1},
    }
    split = {"class_path": "ActorLists", "init_args": {"val": [3, 4], "test": [5]}}
    overrides = "--model.init_args.overrides"
    return [
        f"--runs={folder / 'runs'}",
        f"--data.corpus={json.dumps(corpus)}",
        f"--data.split={json.dumps(split)}",
        "--trainer.accelerator=cpu",
        "--model.init_args.branches.audio_cnn=skip",
        f"{overrides}.transcript_gru.trainer.max_epochs=1",
        *(f"{overrides}.{name}.model.init_args.transcript=reference" for name in KEPT),
    ]
