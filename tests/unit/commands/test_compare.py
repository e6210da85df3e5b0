from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from lightning_emorec.commands.compare import compare, pairs_table, scores_table
from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.evaluate import judge
from lightning_emorec.evaluation.results import RunResults
from lightning_emorec.evaluation.writers import write_files


@pytest.fixture
def runs(results: RunResults, fused: RunResults, tmp_path: Path) -> Path:
    """`good` with 4 of 6 test clips right, `bad` with 1."""
    bad = replace(results, output={"val": results.output["val"], "test": fused.branches["words"]["test"]})
    for name, run in {"good": results, "bad": bad}.items():
        (tmp_path / "runs" / name).mkdir(parents=True)
        write_files(run, judge(run), tmp_path / "runs" / name)
    return tmp_path / "runs"


def drop_first_clip(run: Path) -> None:
    lines = (run / "predictions.csv").read_text(encoding="utf8").splitlines()
    kept = [line for line in lines if not line.startswith("test-0,")]
    (run / "predictions.csv").write_text("\n".join(kept) + "\n", encoding="utf8")


def words(html: str) -> str:
    text = re.sub(r"<(style|svg).*?</\1>", "", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", text).replace("&nbsp;", " ").split())


def test_runs_have_scores_and_a_paired_test(runs: Path, tmp_path: Path) -> None:
    found = compare(["good", "bad"], runs=runs, out=tmp_path / "page.html")
    assert found.runs["good"].scores["accuracy"].value == pytest.approx(4 / 6)
    assert found.actors["good"] == {"8": 1.0, "10": 0.5, "9": 0.5}
    (pair,) = found.pairs
    assert (pair.only_first_right, pair.only_second_right) == (4, 1)
    assert pair.mcnemar.raw == pytest.approx(2 * (1 + 5) / 2**5)
    assert pair.actor_accuracy.raw == 0.5
    assert found.left_out == 0


def test_the_part_can_be_chosen(runs: Path, tmp_path: Path) -> None:
    found = compare(["good", "bad"], part="val", runs=runs, out=tmp_path / "page.html")
    assert found.pairs[0].accuracy_difference.value == 0


def test_one_run_is_nothing_to_compare(runs: Path) -> None:
    with pytest.raises(EmorecError, match="at least two runs; found good"):
        compare(["good"], runs=runs)


def test_other_clips_are_an_error_unless_the_shared_ones_are_asked_for(runs: Path, tmp_path: Path) -> None:
    drop_first_clip(runs / "bad")
    page = tmp_path / "page.html"
    with pytest.raises(EmorecError, match="--shared true"):
        compare(["good", "bad"], runs=runs, out=page)
    assert not page.exists()
    found = compare(["good", "bad"], runs=runs, out=page, shared=True)
    assert (found.left_out, found.pairs[0].clips) == (1, 5)
    assert "1 more clip is left out" in words(page.read_text(encoding="utf8"))


def test_the_terminal_shows_scores_and_pairs(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(["good", "bad"], runs=runs, out=tmp_path / "page.html")
    text = " ".join(capsys.readouterr().out.split())
    assert "emotion on test · 6 clips of 3 actors" in text
    assert "good 66.7 [50.0, 100.0]" in text
    assert "+50.0" in text
    assert "0.500 (0.500)" in text
    assert "With 3 actors the permutation test over actors can give no p below 0.250" in text
    assert text.endswith("page.html")


def test_tables_fit_100_columns(runs: Path, tmp_path: Path) -> None:
    found = compare(["good", "bad"], runs=runs, out=tmp_path / "page.html")
    console = Console(file=StringIO(), width=100)
    console.print(scores_table(found), pairs_table(found))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_page_says_the_same_and_loads_nothing(runs: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    compare(["good", "bad"], runs=runs, out=page)
    html = page.read_text(encoding="utf8")
    assert "<script" not in html
    assert not re.search(r"url\((?!#)|src=|<link", html)
    assert html.count("<svg") == 1
    text = words(html)
    assert "good 66.7 50.0–100.0" in text
    assert "good bad +50.0" in text
    assert "can give no p below 0.250" in text


def test_names_of_runs_are_escaped(runs: Path, tmp_path: Path) -> None:
    (runs / "bad").rename(runs / "<b>bad")
    page = tmp_path / "page.html"
    compare(["good", "<b>bad"], runs=runs, out=page)
    assert "<b>bad" not in page.read_text(encoding="utf8")
