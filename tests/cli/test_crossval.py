"""Three folds of six actors, end to end, once for all tests: there are 15 fits, and each takes seconds to start."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml

from lightning_emorec.__main__ import main
from lightning_emorec.commands.crossval.results import CrossvalResults
from lightning_emorec.commands.crossval.run import FoldWorker
from lightning_emorec.evaluation.results import System
from lightning_emorec.jobs.child import Work
from lightning_emorec.jobs.environments import Environment
from lightning_emorec.part_logits import PartLogits
from tests.cli.conftest import Project, make_project

pytestmark = pytest.mark.slow

NAME = "fused-3fold"
CLIPS = 54  # six actors with nine each


def crossval(project: Project, *args: str) -> CrossvalResults:
    command = ["crossval", "--config", project.config("fused"), "--folds", "3", "--val_actors", "1"]
    options = ["--inner", "2", "--single", "audio", "--jobs", "2", "--runs", str(project.runs)]
    results = main([*command, *options, *args])
    assert isinstance(results, CrossvalResults)
    return results


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tones: Path) -> Iterator[Project]:
    """A project that was cross-validated, with one epoch in place of two for one of its branches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMOREC_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        made = make_project(tmp_path_factory.mktemp("crossval"), tones)
        crossval(made, "--", "--model.init_args.overrides.text.trainer.max_epochs=1")
        yield made


def again(project: Project) -> CrossvalResults:
    return crossval(project, "--", "--model.init_args.overrides.text.trainer.max_epochs=1")


def folder(project: Project) -> Path:
    return project.runs / NAME


def run_folder(project: Project, fold: int) -> Path:
    return next((folder(project) / f"seed1-fold{fold}").glob("fused-*"))


def checkpoints(project: Project) -> dict[Path, int]:
    return {file: file.stat().st_mtime_ns for file in project.runs.rglob("*.ckpt")}


def test_every_clip_is_tested_once_by_every_system(done: Project) -> None:
    with (folder(done) / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len({row["clip"] for row in rows}) == len(rows) == CLIPS
    assert {row["fold"] for row in rows} == {"0", "1", "2"}
    files = sorted((folder(done) / "oof").rglob("*.pt"))
    assert len(files) == 2 + 4 + 4
    assert all(len(PartLogits.load(file).clip_ids) == CLIPS for file in files)
    scores = json.loads((folder(done) / "crossval.json").read_text())
    assert scores["branches"]["audio"]["pitch"]["pooled"][0]["clips"] == CLIPS
    assert scores["audio"]["clips"] == CLIPS
    assert f"audio of {CLIPS} clips" in (folder(done) / "crossval.html").read_text()


def test_a_fold_is_an_ordinary_run_whose_rules_are_those_of_the_validation_split(done: Project) -> None:
    for fold in range(3):
        run = run_folder(done, fold)
        metrics = json.loads((run / "metrics.json").read_text())
        kept = json.loads((folder(done) / "crossval.json").read_text())
        by_fold = kept["rules"]["val"]["log_linear"]["pitch"]["by_fold"][fold]
        assert metrics["test"]["pitch"].items() <= by_fold.items()
        learned = kept["weights"]["val"]["log_linear"]["pitch"]["by_fold"][fold]["shares"]
        assert metrics["fusion"]["weights"] == pytest.approx(learned, abs=1e-5)


def test_arguments_after_the_dashes_reach_every_fit(done: Project) -> None:
    config = yaml.safe_load((run_folder(done, 0) / "config.yaml").read_text())
    assert config["model"]["init_args"]["branches"]["text"]["trainer"]["max_epochs"] == 1
    stores = list((done.runs / "branches").glob("text-*"))
    assert len(stores) == 3 + 3 * 2
    for store in stores:
        assert yaml.safe_load((store / "config.yaml").read_text())["trainer"]["max_epochs"] == 1


def test_a_second_call_starts_no_fit_and_finds_the_same(
    done: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(worker: FoldWorker, environment: Environment) -> Work[None]:
        raise AssertionError(f"{worker.label} was started again")

    monkeypatch.setattr(FoldWorker, "run", refuse)
    before = (folder(done) / "crossval.json").read_text()
    again(done)
    assert (folder(done) / "crossval.json").read_text() == before


def test_a_fold_that_is_gone_is_computed_again_and_no_other(done: Project) -> None:
    third = folder(done) / "seed1-fold2"
    system = System("log_linear", "rule", "oof")
    before, expected = checkpoints(done), PartLogits.load(folder(done) / "oof/seed1/oof/log_linear.pt")
    shutil.rmtree(third)
    results = again(done)
    after = checkpoints(done)
    changed = {file for file in after if before.get(file) != after[file]}
    assert changed
    assert all(third in file.parents for file in changed)
    torch.testing.assert_close(results.pooled(system, 1).logits, expected.logits, rtol=0, atol=0)


def test_what_crossval_decides_cannot_be_passed_on(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        crossval(project, "--", "--data.split=split.yaml")
    assert "remove --data.split after --" in capsys.readouterr().err
