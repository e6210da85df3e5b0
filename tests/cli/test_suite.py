"""`stress --suite` on a run and on a cross-validation of two small branches."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lightning_emorec import inference
from lightning_emorec.__main__ import main
from lightning_emorec.commands.stress import finished_run
from lightning_emorec.part_logits import PartLogits
from tests.cli.conftest import Project
from tests.cli.test_stress import refusal


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of clips of each time that logits are computed."""
    calls: list[int] = []

    def noted(trained: Any, clips: Any, *args: Any, **options: Any) -> dict[str, PartLogits]:
        calls.append(len(clips))
        return inference.branch_logits(trained, clips, *args, **options)

    monkeypatch.setattr(finished_run, "branch_logits", noted)
    return calls


def suite(project: Project, run: str, *args: str) -> dict[str, Any]:
    main(["stress", run, "--suite", "true", "--runs", str(project.runs), *args])
    content: dict[str, Any] = json.loads((project.runs / run / "stress" / "suite.json").read_text())
    return content


def test_a_run_is_held_to_the_suite_and_what_is_known_is_not_computed_again(
    project: Project, computed: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    project.run("fit", "--config", project.config("audio"))
    first = suite(project, "audio", "--conditions", "gain,speech_1s")
    printed = capsys.readouterr().out
    assert list(first["conditions"]) == ["gain", "speech_1s"]
    assert list(first["speech_s"]) == ["whole clip", "1 s"]
    tests = [test for group in first["groups_of_tests"].values() for test in group["tests"]]
    assert first["tests"] == len(tests)
    assert first["passed"] == sum(test["passed"] for test in tests)
    (gain,) = first["groups_of_tests"]["small changes"]["tests"]
    assert gain["figure"] == first["conditions"]["gain"]["unchanged"]
    assert gain["passed"] == (gain["figure"] >= 0.95)
    metrics = project.metrics("audio")["test"]["pitch"]
    (uar,) = (test for test in tests if test["name"] == "UAR")
    assert uar["figure"] == pytest.approx(metrics["uar"], abs=1e-4)
    assert {"fairness by sex", "fairness by accent", "recording devices"} <= {*first["not_run"]}
    page = (project.runs / "audio" / "stress" / "suite.html").read_text(encoding="utf8")
    assert f"{first['passed']} of {first['tests']} tests passed" in page
    assert "– (1 actor)" not in page  # one actor has no interval at all, as before
    assert printed.rstrip().endswith("suite.html")

    assert len(computed) == 3  # clean, and two conditions
    computed.clear()
    again = suite(project, "audio", "--conditions", "gain,speech_1s,crop_end")
    assert again["conditions"]["gain"] == first["conditions"]["gain"]
    assert len(computed) == 1


def test_a_cross_validation_is_judged_by_the_model_of_each_fold(
    project: Project, computed: list[int]
) -> None:
    options = ["--folds", "2", "--val_actors", "1", "--name", "cv", "--runs", str(project.runs)]
    main(["crossval", "--config", project.config("audio"), *options])
    found = suite(project, "cv", "--conditions", "gain")
    whole = json.loads((project.runs / "cv" / "crossval.json").read_text())
    assert found["folds"] == 2
    assert found["actors"] == whole["intervals"]["actors"]
    pooled = whole["branches"]["audio"]["pitch"]["pooled"][0]
    (uar,) = (of for of in found["groups_of_tests"]["correctness"]["tests"] if of["name"] == "UAR")
    assert uar["figure"] == pytest.approx(pooled["uar"], abs=1e-4)
    computed.clear()
    few = suite(project, "cv", "--conditions", "gain", "--clips", "3")
    assert few["clips"] == 6
    assert computed == [3] * 4
    assert not list((project.runs / "cv").glob("seed*/*/stress"))


def test_mistakes_are_told_in_one_line(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["stress", "audio", "--runs", str(project.runs), "--suite", "true"]
    assert "found pink; correct --conditions" in refusal([*args, "--conditions", "pink"], capsys)
    assert "found 0; set --clips" in refusal([*args, "--clips", "0"], capsys)
