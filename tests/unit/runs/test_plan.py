from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lightning_emorec.errors import EmorecError
from lightning_emorec.runs.plan import Refit, RunPlan

PLAN = RunPlan(
    Path("runs/a"),
    {"cnn": Path("runs/branches/cnn-1")},
    {"bert": "no weights"},
    {"branch cnn": 1.5},
    ["bert was trained on the corpus"],
    {"cnn": Refit(Path("runs/branches/cnn-2"), 9)},
    Path("runs/b"),
)


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    plan = replace(PLAN, folder=tmp_path / "a")
    file = plan.write()
    assert RunPlan.read(file) == plan
    assert file.parent == plan.folder
    assert plan.arguments == ["--plan", str(file)]


def test_a_plan_for_another_working_directory_has_no_relative_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert PLAN.anywhere() == replace(
        PLAN,
        folder=tmp_path / "runs/a",
        branches={"cnn": tmp_path / "runs/branches/cnn-1"},
        refits={"cnn": Refit(tmp_path / "runs/branches/cnn-2", 9)},
        refit_of=tmp_path / "runs/b",
    )


def test_a_plan_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match=r"found no file .*; remove --plan"):
        RunPlan.read(tmp_path / "run_plan.json")
