"""A second training on training and validation actors, when every choice has been made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lightning_emorec.metrics import PartLogits
from tests.cli.conftest import Project

pytestmark = pytest.mark.slow


def logits(folder: Path, part: str) -> torch.Tensor:
    return PartLogits.load(folder / "logits" / f"{part}.pt").logits["pitch"]


def config(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((folder / "config.yaml").read_text())
    return content


def stored(project: Project, refitted: bool) -> dict[str, Path]:
    """Branch name -> folder among the trained branches."""
    return {
        folder.name.partition("-")[0]: folder
        for folder in (project.runs / "branches").iterdir()
        if config(folder)["data"]["split"]["class_path"].endswith("WithoutValidation") is refitted
    }


def test_a_fusion_is_solved_on_the_branches_that_chose_and_made_of_their_refits(
    project: Project, tmp_path: Path
) -> None:
    project.run("fit", "--config", project.config("fused"), "--refit", "true")
    metrics, fused = project.metrics("fused"), project.runs / "fused"
    before, after = stored(project, refitted=False), stored(project, refitted=True)
    assert before.keys() == after.keys() == {"text", "audio"}
    assert {name: of["folder"] for name, of in metrics["refit"].items()} == {
        name: folder.name for name, folder in after.items()
    }
    checkpoint = torch.load(fused / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    for name in before:
        assert (before[name] / "logits" / "val.pt").is_file()
        assert not (after[name] / "logits" / "val.pt").exists()
        assert not torch.equal(logits(before[name], "test"), logits(after[name], "test"))
        trained = torch.load(after[name] / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
        for key, weight in trained.items():
            if isinstance(weight, torch.Tensor):
                torch.testing.assert_close(checkpoint[f"branches.{name}.{key}"], weight, rtol=0, atol=0)
    assert metrics["val"]["pitch"]["clips"] == 9
    assert metrics["before_refit"]["test"]["pitch"]["clips"] == 9
    assert metrics["before_refit"]["branches"].keys() == metrics["branches"].keys()
    assert metrics["before_refit"]["rules"].keys() == metrics["rules"].keys()

    os.chdir(tmp_path)
