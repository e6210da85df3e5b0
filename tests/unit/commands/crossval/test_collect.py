from __future__ import annotations

import json
from pathlib import Path

import pytest

from lightning_emorec.commands.crossval.collect import branch_file, collect
from lightning_emorec.commands.crossval.folds import Fold
from lightning_emorec.commands.crossval.jobs import FitStep, FoldJob
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.run_paths import logits_file
from lightning_emorec.splits import Parts
from lightning_emorec.types import Clip, Part
from tests.unit.commands.crossval.conftest import predicting

PARTS = Parts([Clip("a", "1", None)], [Clip("b", "2", None)], [Clip("c", "3", None)])


def save(folder: Path, part: Part, right: bool) -> None:
    predicting([clip.id for clip in getattr(PARTS, part)], [0], [right]).save(logits_file(folder, part))


def made_up_cell(folder: Path, stores: dict[str, Path], refits: dict[str, str]) -> FoldJob:
    run = FitStep("fit", folder / "cell" / "run-1", {})
    run.folder.mkdir(parents=True)
    metrics = {"versions": {}, "seconds": {"fit": 2.0}}
    kept = {"refit": {name: {"folder": of, "epochs": 1} for name, of in refits.items()}} if refits else {}
    (run.folder / "metrics.json").write_text(json.dumps({**metrics, **kept}))
    fold = Fold(0, {}, PARTS)
    return FoldJob(1, fold, folder / "cell", run, stores or {"run": run.folder}, {}, "print")


def is_right(cell: FoldJob, branch: str, part: Part) -> bool:
    logits = PartLogits.load(branch_file(cell.folder, branch, part)).logits["mood"]  # type: ignore[arg-type]
    return bool(logits[0].argmax() == 0)


def test_validation_logits_are_of_the_branch_that_chose_and_test_logits_of_its_refit(tmp_path: Path) -> None:
    stores = {name: tmp_path / "branches" / f"{name}-1" for name in ("sound", "words")}
    for folder in stores.values():
        save(folder, "val", True)
        save(folder, "test", False)
    save(tmp_path / "branches" / "sound-9", "test", True)
    cell = made_up_cell(tmp_path, stores, {"sound": "sound-9"})
    collect(cell)
    assert [is_right(cell, "sound", part) for part in ("val", "test")] == [True, True]
    assert [is_right(cell, "words", part) for part in ("val", "test")] == [True, False]


@pytest.mark.parametrize("refitted", [True, False])
def test_a_single_model_is_tested_by_its_refit_too(tmp_path: Path, refitted: bool) -> None:
    cell = made_up_cell(tmp_path, {}, {"run-1": "run-1-refit"} if refitted else {})
    save(cell.run.folder, "val", True)
    save(cell.run.folder, "test", False)
    refit = cell.folder / "run-1-refit"
    save(refit, "test", True)
    (refit / "metrics.json").write_text(json.dumps({"seconds": {"fit": 3.0}}))
    collect(cell)
    assert [is_right(cell, "run", part) for part in ("val", "test")] == [True, refitted]
    seconds = json.loads((cell.folder / "cell.json").read_text())["seconds"]
    assert seconds == ({"fit": 2.0, "refit": 3.0} if refitted else {"fit": 2.0})
