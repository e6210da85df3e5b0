from __future__ import annotations

from pathlib import Path

import pytest

from lightning_emorec.runs.plan import PLAN_VARIABLE, Refit, RunPlan


def test_a_plan_survives_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = RunPlan(
        Path("runs/a"),
        {"cnn": Path("runs/branches/cnn-1")},
        {"bert": "no weights"},
        {"branch cnn": 1.5},
        ["bert was trained on the corpus"],
        {"cnn": Refit(Path("runs/branches/cnn-2"), 9)},
        Path("runs/b"),
    )
    monkeypatch.setenv(PLAN_VARIABLE, plan.as_text())
    assert RunPlan.handed_over() == plan


def test_without_a_plan_in_the_environment_nothing_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PLAN_VARIABLE, raising=False)
    assert RunPlan.handed_over() is None
