from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from tests.unit.test_benchmarks import load

Keep = Callable[..., Path]


@pytest.fixture
def script() -> ModuleType:
    return load("regression")


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    """Writes what one version left: a branch's logits, a table, and figures."""

    def write(side: str, print_: str = "0" * 16, logit: float = 0.5, row: str = "1", **changed: Any) -> Path:
        branch = tmp_path / side / "runs" / "branches" / f"gru-{print_}"
        (branch / "logits").mkdir(parents=True)
        logits = {"emotion": torch.tensor([[logit, 1.0]])}
        part = {
            "clip_ids": ["a"],
            "logits": logits,
            "labels": {"emotion": torch.tensor([1])},
            "content": side,
        }
        torch.save(part, branch / "logits" / "val.pt")
        (branch / "predictions.csv").write_text(f"clip,p\na,{row}\n")
        found = {"val": {"uar": 0.25}, "seconds": {"fit": hash(side)}, "versions": {"torch": side}, **changed}
        (branch / "metrics.json").write_text(json.dumps(found))
        return tmp_path / side

    return write


def pair(p: float, holm: float | None = None, actors: int = 18) -> dict[str, Any]:
    """A comparison of two systems, with the p of a permutation."""
    tests = {
        test: {"raw": p, "holm": p if holm is None else holm} for test in ("actor_uar", "actor_accuracy")
    }
    return {"first": "a", "second": "b", "actors": actors, "mcnemar": {"raw": 0.5, "holm": 0.5}, **tests}


def test_equal_results_agree_whatever_their_fingerprints_times_and_versions(
    script: ModuleType, keep: Keep
) -> None:
    assert script.compare(keep("before"), keep("after", print_="a1" * 8)) == []


def test_one_other_bit_of_a_logit_is_a_difference(script: ModuleType, keep: Keep) -> None:
    (line,) = script.compare(keep("before"), keep("after", logit=math.nextafter(0.5, 1) + 2**-24))
    assert line.endswith("/logits/val.pt: logits of emotion differ")


def test_a_table_that_differs_by_one_byte_is_named_with_the_line(script: ModuleType, keep: Keep) -> None:
    (line,) = script.compare(keep("before"), keep("after", row="1.0"))
    assert line.endswith("/predictions.csv: differs from line 2 on")


@pytest.mark.parametrize(("uar", "apart"), [(0.2500001, False), (0.25001, True)])
def test_figures_are_compared_after_rounding(script: ModuleType, keep: Keep, uar: float, apart: bool) -> None:
    lines = script.compare(keep("before"), keep("after", val={"uar": uar}))
    assert [line.rpartition(": ")[2] for line in lines] == ([f"val.uar was 0.25, is {uar}"] if apart else [])


def test_a_key_with_a_new_name_agrees_once_the_table_has_it(
    script: ModuleType, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = keep("before", val={"uar": 0.25}), keep("after", val={"balanced_accuracy": 0.25})
    assert len(script.compare(before, after)) == 2
    monkeypatch.setattr(script, "RENAMED", {"uar": "balanced_accuracy"})
    assert script.compare(before, after) == []


def test_a_file_on_one_side_only_is_named(script: ModuleType, keep: Keep) -> None:
    before, after = keep("before"), keep("after")
    (before / "runs" / "gone.html").touch()
    (after / "runs" / "come.html").touch()
    assert script.compare(before, after) == ["runs/gone.html: only before", "runs/come.html: only after"]


@pytest.mark.parametrize(
    ("old", "new", "differences"),
    [
        (pair(0.3), pair(0.31), 0),  # the difference of two draws of 9,999 has a deviation of 0.0065
        (pair(0.3), pair(0.33), 4),
        (pair(0.002), pair(0.003), 0),
        (pair(0.002), pair(0.005), 4),
        (pair(0.3, actors=12), pair(0.31, actors=12), 4),  # few enough actors for an exact p
    ],
)
def test_a_drawn_p_may_move_by_three_deviations(
    script: ModuleType, keep: Keep, old: dict[str, Any], new: dict[str, Any], differences: int
) -> None:
    lines = script.compare(keep("before", comparisons=[old]), keep("after", comparisons=[new]))
    assert len(lines) == differences


def test_a_mcnemar_p_may_not_move(script: ModuleType, keep: Keep) -> None:
    other = {**pair(0.3), "mcnemar": {"raw": 0.501, "holm": 0.5}}
    (line,) = script.compare(keep("before", comparisons=[pair(0.3)]), keep("after", comparisons=[other]))
    assert line.endswith("comparisons.0.mcnemar.raw was 0.5, is 0.501")


def test_numbers_on_the_terminal_are_compared_wherever_they_stand(script: ModuleType, tmp_path: Path) -> None:
    texts = {"before": "UAR 35.2\np 0.125", "moved": "p: 0.125, UAR: 35.2", "after": "UAR 35.3\np 0.125"}
    for side, text in texts.items():
        (tmp_path / side).mkdir()
        (tmp_path / side / "compare.txt").write_text(text)
    assert script.compare(tmp_path / "before", tmp_path / "moved") == []
    (line,) = script.compare(tmp_path / "before", tmp_path / "after")
    assert line == "compare.txt: numbers ['35.2'] became ['35.3']"
