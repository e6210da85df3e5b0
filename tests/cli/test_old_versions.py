"""What version 0.1.0 left: class paths that have moved, runs that it did not finish."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lightning_emorec.renamed import RENAMED
from lightning_emorec.runs import folder
from lightning_emorec.runs.checkpoint import RUN_CONFIG, read_checkpoint
from tests.cli.conftest import Project

AVERAGED = "lightning_emorec.callbacks.AveragedWeights"
OLD = {AVERAGED: "lightning_emorec.training.AveragedWeights"}
OLD |= {
    f"lightning_emorec.branches.{name}": f"lightning_emorec.old.{name}"
    for name in ("AudioCnn", "TranscriptGru")
}
OLD["lightning_emorec.fusion.FusionModule"] = "lightning_emorec.old.FusionModule"


@pytest.fixture(autouse=True)
def _moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every class of these had moved, not only those in the table."""
    for new, old in OLD.items():
        monkeypatch.setitem(RENAMED, old, new)


def as_before(value: Any) -> Any:
    """Plain values with the old class paths."""
    if isinstance(value, dict):
        return {key: as_before(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_before(inner) for inner in value]
    if isinstance(value, str):
        for new, old in OLD.items():
            value = value.replace(new, old)
    return value


def rows_of(run: Path, table: str) -> list[str]:
    return [row for row in (run / table).read_text().splitlines() if ",test," in row]


def test_a_checkpoint_with_old_class_paths_gives_the_same_predictions(project: Project) -> None:
    averaged = [{"class_path": AVERAGED, "init_args": {"decay": 0.5}}]
    config = yaml.safe_load(Path(project.config("audio")).read_text())
    project.write("audio", {**config, "trainer": {**config["trainer"], "callbacks": averaged}})
    project.run("fit", "--config", project.config("fused"))
    file = project.runs / "fused" / "checkpoints" / "best.ckpt"
    checkpoint = torch.load(file, weights_only=True)
    old = {key: as_before(value) for key, value in checkpoint.items() if key != "state_dict"}
    assert (str(old).count("lightning_emorec.old."), str(old).count(OLD[AVERAGED])) == (6, 1)
    moved = project.folder / "old.ckpt"
    torch.save({**checkpoint, **old}, moved)

    project.run("test", "--ckpt_path", str(moved))
    for table in ("predictions.csv", "branch_predictions.csv"):
        rows = rows_of(project.runs / "fused-test", table)
        assert rows == rows_of(project.runs / "fused", table)
        assert rows
    for key in ("hyper_parameters", RUN_CONFIG):
        assert read_checkpoint(str(moved))[key] == checkpoint[key]


def test_a_config_with_old_class_paths_repeats_the_run(project: Project) -> None:
    averaged = f"--trainer.callbacks=[{{class_path: {OLD[AVERAGED]}}}]"
    project.run("fit", "--config", project.config("audio"), averaged)
    written = (project.runs / "audio" / "config.yaml").read_text()
    assert AVERAGED in written
    (project.folder / "old.yaml").write_text(as_before(written))
    project.run("fit", "--config", project.config("old"))
    first, again = (project.runs / name / "predictions.csv" for name in ("audio", "audio-2"))
    assert again.read_bytes() == first.read_bytes()
    assert (project.runs / "audio-2" / "config.yaml").read_text() == written


def test_a_run_and_branches_of_another_version_are_left_as_they_are(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.run("fit", "--config", project.config("fused"))
    branches = project.runs / "branches"
    for begun in [project.runs / "fused", *branches.iterdir()]:
        (begun / "version").unlink()
    (project.runs / "fused" / "done").unlink()
    (project.runs / "fused" / "fingerprint").write_text("of version 0.1.0")
    for begun in list(branches.iterdir()):
        begun.rename(f"{begun}"[:-4] + "0000")
    before = {file: file.read_bytes() for file in project.runs.rglob("*") if file.is_file()}
    warnings: list[str] = []
    monkeypatch.setattr(folder.log, "warning", lambda text, *values: warnings.append(text % values))
    project.run("fit", "--config", project.config("fused"))
    assert {file: file.read_bytes() for file in before} == before
    run, trained = warnings
    assert run.startswith(f"{project.runs / 'fused'} was begun by version 0.1.0")
    assert "(and 1 more) was trained by version 0.1.0" in trained
    assert len(list(branches.iterdir())) == 4
    assert (project.runs / "fused-2" / "done").is_file()
