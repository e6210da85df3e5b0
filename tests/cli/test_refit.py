"""A second training on training and validation actors, when every choice has been made."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from lightning_emorec.__main__ import main
from lightning_emorec.fusion import LogLinear
from lightning_emorec.metrics import score
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.run_paths import solved_on_file
from tests.cli.conftest import Project
from tests.cli.test_resume import epochs, wait_for_epoch

pytestmark = pytest.mark.slow


def part(folder: Path, name: str) -> PartLogits:
    return PartLogits.load(folder / "logits" / f"{name}.pt")


def state(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
    return dict(content["state_dict"])


def stored(project: Project, refitted: bool) -> dict[str, Path]:
    """Branch name -> its folder among the trained branches."""
    found = {}
    for folder in sorted((project.runs / "branches").iterdir()):
        split = yaml.safe_load((folder / "config.yaml").read_text())["data"]["split"]["class_path"]
        if split.endswith("WithoutValidation") is refitted:
            found[folder.name.partition("-")[0]] = folder
    return found


@pytest.fixture
def config(project: Project) -> str:
    """A fusion of a branch that is trained and one that is solved."""
    text = yaml.safe_load(Path(project.config("text")).read_text())
    model = {"class_path": "TfidfSvc", "init_args": {"transcript": "reference"}}
    project.write(
        "svc", {**text, "name": "svc", "model": model, "trainer": {**text["trainer"], "max_epochs": 0}}
    )
    fused = yaml.safe_load(Path(project.config("fused")).read_text())
    fused["model"]["init_args"]["branches"] = {"text": "text.yaml", "svc": "svc.yaml"}
    return project.write("fused", {**fused, "refit": True})


def stack(folders: dict[str, Path], name: str) -> Tensor:
    return torch.stack([part(folders[branch], name).logits["pitch"] for branch in ("svc", "text")])


def test_a_fusion_is_solved_on_the_branches_that_chose_and_made_of_their_refits(
    project: Project,
    config: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project.run("fit", "--config", config)
    metrics, fused = project.metrics("fused"), project.runs / "fused"
    before, after = stored(project, refitted=False), stored(project, refitted=True)
    assert {name: of["folder"] for name, of in metrics["refit"].items()} == {
        name: folder.name for name, folder in after.items()
    }
    assert metrics["refit"]["svc"]["epochs"] == 0
    assert 1 <= metrics["refit"]["text"]["epochs"] <= 2
    assert max(epochs(after["text"])) + 1 == metrics["refit"]["text"]["epochs"]
    for name in ("text", "svc"):
        assert len(part(before[name], "val").clip_ids) == 9
        assert not (after[name] / "logits" / "val.pt").exists()
        solved_on = PartLogits.load(solved_on_file(fused, name))
        assert torch.equal(solved_on.logits["pitch"], part(before[name], "val").logits["pitch"])
        for key, weight in state(after[name]).items():
            if isinstance(weight, Tensor):
                torch.testing.assert_close(state(fused)[f"branches.{name}.{key}"], weight, rtol=0, atol=0)
    assert not torch.equal(stack(before, "test"), stack(after, "test"))

    rule, labels = LogLinear(), part(before["text"], "val").labels["pitch"]
    rule.fit(stack(before, "val"), labels)
    weights = metrics["fusion"]["weights"]
    assert [weights["svc"], weights["text"]] == pytest.approx(rule.shares, abs=1e-5)
    torch.testing.assert_close(part(fused, "val").logits["pitch"], rule(stack(before, "val")))
    torch.testing.assert_close(part(fused, "test").logits["pitch"], rule(stack(after, "test")))
    tested = score(rule(stack(before, "test")), part(fused, "test").labels["pitch"])
    assert metrics["before_refit"]["test"]["pitch"]["nll"] == pytest.approx(tested["nll"], abs=1e-5)
    assert "Before refit" in (fused / "report.html").read_text()

    with pytest.raises(SystemExit):  # these clips were trained on
        main(["stress", "fused", "--part", "val", "--runs", str(project.runs)])
    assert "found validation clips, on which the branches were refitted" in capsys.readouterr().err

    moved = shutil.copy(fused / "checkpoints" / "best.ckpt", tmp_path / "model.ckpt")
    shutil.rmtree(project.runs)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    project.run("test", "--ckpt_path", str(moved))
    assert project.metrics("fused-test")["test"] == metrics["test"]
    project.run("validate", "--ckpt_path", str(moved))
    assert "refitted" in project.metrics("fused-validate")["warnings"][0]


LONG = ("--trainer.max_epochs=40", "--data.batch_size=2")
LAST_EPOCHS_BEST = ("--checkpoint.monitor=val/pitch/nll", "--checkpoint.mode=min")


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_refit_that_was_stopped_goes_on_and_what_went_before_it_is_not_done_again(
    project: Project, stop: signal.Signals
) -> None:
    command = ("fit", "--config", project.config("text"), "--refit=true", *LONG, *LAST_EPOCHS_BEST)
    process = project.start(*command)
    wait_for_epoch(project.runs / "text-refit", 2)
    os.killpg(process.pid, stop)
    out, _ = process.communicate(timeout=60)
    assert process.returncode != 0, out
    assert epochs(project.runs / "text") == list(range(40))

    project.run(*command)
    assert epochs(project.runs / "text") == list(range(40))
    chosen = project.metrics("text")["refit"]["text"]
    assert chosen["folder"] == "text-refit"
    seen = epochs(project.runs / "text-refit")
    assert sorted(set(seen)) == list(range(chosen["epochs"]))
    assert len(seen) <= chosen["epochs"] + 1
    refit = project.metrics("text-refit")
    assert "val" not in refit
    assert refit["before_refit"]["test"] == project.metrics("text")["test"]
    assert {folder.name for folder in project.runs.iterdir()} == {"text", "text-refit"}
    assert all((folder / "done").is_file() for folder in project.runs.iterdir())


def test_a_run_without_validation_is_not_validated(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.run("fit", "--config", project.config("text"), "--refit=true")
    refit = project.runs / "text-refit" / "checkpoints" / "best.ckpt"
    with pytest.raises(SystemExit):
        project.run("validate", "--ckpt_path", str(refit))
    assert "expected clips of validation actors" in capsys.readouterr().err
    project.run("test", "--ckpt_path", str(refit))
    assert project.metrics("text-refit-test")["test"] == project.metrics("text-refit")["test"]
