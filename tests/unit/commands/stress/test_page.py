from __future__ import annotations

from pathlib import Path

from lightning_emorec.commands.stress.page import write_page
from lightning_emorec.commands.stress.results import ConditionResult, StressResults
from lightning_emorec.commands.stress.scoring import METRICS, Figures
from tests.unit.evaluation.pages import Tags, words


def figures(sound: float, fused: float) -> Figures:
    branches = {name: dict.fromkeys(METRICS, of) for name, of in {"sound": sound, "words": 0.5}.items()}
    return Figures(branches, {"log_linear": dict.fromkeys(METRICS, fused)})


def test_the_page_shows_each_condition_and_loads_nothing(tmp_path: Path) -> None:
    white = ConditionResult("white", "White noise", "dB", {"10": figures(0.25, 0.5)})
    results = StressResults(
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
    html = write_page(results, tmp_path).read_text(encoding="utf8")
    tags = Tags()
    tags.feed(html)
    assert [load for load in tags.loads if load] == []
    text = words(html)
    assert "6 test clips of 3 speakers" in text
    assert "clean 80.0 75.0 50.0 10 dB 50.0 25.0 50.0" in text
    assert html.count("<svg") == 1
