"""Early fusion through the command line."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lightning_emorec.part_logits import PartLogits
from tests.cli.conftest import Project

AUDIO = {"class_path": "AudioCnn", "init_args": {"width": 4, "stages": 2}}
TEXT = {"class_path": "TranscriptGru", "init_args": {"transcript": "reference"}}


def write_joint(project: Project, **arguments: Any) -> str:
    config = yaml.safe_load(Path(project.config("audio")).read_text())
    init_args = {"encoders": {"audio": AUDIO, "text": TEXT}, "size": 8, "hidden": 8, **arguments}
    model = {"class_path": "Joint", "init_args": init_args}
    return project.write("joint", {**config, "name": "joint", "model": model})


def write_frozen_joint(project: Project) -> str:
    for branch in ("audio", "text"):
        project.run("fit", "--config", project.config(branch))
    checkpoints = {
        branch: str(project.runs / branch / "checkpoints" / "best.ckpt") for branch in ("audio", "text")
    }
    return write_joint(project, frozen=True, checkpoints=checkpoints)


def test_a_joint_model_over_trained_branches_needs_no_other_file(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.run("fit", "--config", write_frozen_joint(project))
    before = PartLogits.load(project.runs / "joint" / "logits" / "test.pt")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (project.runs / "joint" / "checkpoints" / "best.ckpt").rename(moved / "model.ckpt")
    shutil.rmtree(project.runs)
    for config in tmp_path.glob("*.yaml"):
        config.unlink()
    monkeypatch.chdir(moved)
    project.run("test", "--ckpt_path", "model.ckpt")
    after = PartLogits.load(project.runs / "joint-test" / "logits" / "test.pt")
    torch.testing.assert_close(after.logits["pitch"], before.logits["pitch"])


def test_a_frozen_encoder_without_a_checkpoint_is_one_line(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        project.run("fit", "--config", write_joint(project, frozen=True))
    assert stop.value.code == 2
    assert "a checkpoint of every frozen encoder" in capsys.readouterr().err
