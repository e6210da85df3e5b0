"""The tables of `benchmarks/performance.py` and `growth.py`, and the clips that these are measured on."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import soundfile

from tests.unit.test_benchmarks import load


def test_a_line_has_medians_as_ratios_to_this_package() -> None:
    script = load("performance")
    now = script.Figures(
        {"this": [1.0, 2.0, 9.0], "usual": [8.0, 7.0, 9.0], "limit": [1.0, 1.0, 1.0]},
        {"this": [3.0, 3.0, 3.0], "usual": [5.0, 5.0, 5.0]},
    )
    before = script.Figures({"this": [4.0, 4.0, 1.0]}, {"this": [0.0]})
    made = script.table({"input: a": {"after": now, "before": before}, "fit (before)": "no such verb"})
    assert "| input: a | 2.00 | 4.00 | 0.50 | 3 | 5 | 2.00 |" in made
    assert "fit (before): no such verb" in made


def test_a_side_that_fails_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = load("performance")

    class Answering:
        def __init__(self, row: str, checkout: Path, *_: object) -> None:
            self.old = checkout.name == "old"

        def ask(self, name: str, side: str = "") -> dict[str, object]:
            if not side:
                return {"a line": ["this", "usual"], "another": ["this"]}
            return {"error": "no such thing"} if side == "usual" else {"cpu_ms": 3 + self.old, "peak_mb": 1}

        def end(self) -> None: ...

    monkeypatch.setattr(script, "Measured", Answering)
    checkouts = {"after": tmp_path / "new", "before": tmp_path / "old"}
    with (tmp_path / "log").open("w") as log:
        found = script.measure("input", "line", checkouts, tmp_path, 4, 3, log)
    assert found.keys() == {"input: a line", "input (after): a line, usual"}
    assert found["input (after): a line, usual"] == "no such thing"
    assert found["input: a line"]["after"].cpu_ms == {"this": [3, 3, 3]}
    assert found["input: a line"]["before"].cpu_ms == {"this": [4, 4, 4]}


def test_a_corpus_is_written_of_different_clips(tmp_path: Path) -> None:
    load("growth").write_corpus(tmp_path, 24, audio=True)
    with (tmp_path / "manifest.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    files = [tmp_path / row["path"] for row in rows]
    assert {soundfile.info(file).duration for file in files} == {0.2}
    assert len({file.read_bytes() for file in files}) == 24
    assert len({row["actor"] for row in rows}) == 6  # each says four clips in turn


def test_growth_is_a_ratio_of_the_cost_of_a_clip() -> None:
    found = json.loads('{"300": {"list": [0.5, 2.0]}, "1200": {"list": [1.0, 4.0], "split": [0.25, 0.0]}}')
    made = load("growth").table({int(clips): of for clips, of in found.items()})
    assert "| list | 0.500 / 2 | 1.000 / 4 (2.00 x) |" in made
    assert "| split |  | 0.250 / 0 |" in made
