from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from lightning_emorec.commands.stress.page import print_stress, write_stress_page
from lightning_emorec.commands.stress.panel import METRICS, Figures
from lightning_emorec.commands.stress.results import ConditionResult, StressResults
from tests.unit.evaluation.pages import Tags, words


def figures(sound: float, fused: float) -> Figures:
    branches = {name: dict.fromkeys(METRICS, of) for name, of in {"sound": sound, "words": 0.5}.items()}
    return Figures(branches, {"log_linear": dict.fromkeys(METRICS, fused)})


@pytest.fixture
def results() -> StressResults:
    white = ConditionResult("white", "White noise", "dB", {"10": figures(0.25, 0.5)})
    return StressResults(
        run="fused",
        part="test",
        clips=6,
        actors=3,
        task="emotion",
        classes=4,
        seed=1,
        rule="log_linear",
        synthetic=False,
        notes=[],
        clean=figures(0.75, 0.8),
        conditions=[white],
    )


def test_the_page_shows_each_condition_and_loads_nothing(results: StressResults, tmp_path: Path) -> None:
    html = write_stress_page(results, tmp_path).read_text(encoding="utf8")
    tags = Tags()
    tags.feed(html)
    assert [load for load in tags.loads if load] == []
    text = words(html)
    assert "6 test clips of 3 speakers" in text
    assert "clean 80.0 75.0 50.0 10 dB 50.0 25.0 50.0" in text
    assert html.count("<svg") == 1


def test_columns_of_many_branches_fit_80_characters(results: StressResults) -> None:
    names = [
        "whisper_statistics",
        "whisper_encoder",
        "audio_cnn",
        "egemaps_svc",
        "tfidf_svc",
        "transcript_gru",
    ]
    rules = ["log_linear", "average", "weighted", "max_confidence"]
    scores = dict.fromkeys(METRICS, 0.5)
    clean = Figures(dict.fromkeys(names, scores), dict.fromkeys(rules, scores))
    many = replace(results, clean=clean, conditions=[])
    console = Console(file=StringIO(), width=80)
    print_stress(many, Path("stress.html"), console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= 80
    assert "50.0" in next(line for line in text.splitlines() if line.startswith(" clean"))
    assert {"statistics", "encoder", "linear", "(chosen)"} <= set(text.split())
    assert "too narrow for: max_confidence" in text
