from __future__ import annotations

import re
from pathlib import Path

import pytest

from lightning_emorec.commands.compare import compare, find_runs, read_predictions
from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.evaluate import evaluate_results
from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.evaluation.results import RunResults
from lightning_emorec.evaluation.writers import write_files
from tests.unit.evaluation.conftest import parts_of, with_logits


@pytest.fixture
def runs(results: RunResults, fused: RunResults, tmp_path: Path) -> Path:
    """`good` with 4 of 6 test clips right, `bad` with 1."""
    bad = with_logits(
        results, output={"val": results.output["val"], "test": parts_of(fused, "branch")["words"]["test"]}
    )
    for name, run in {"good": results, "bad": bad}.items():
        (tmp_path / "runs" / name).mkdir(parents=True)
        write_files(run, evaluate_results(run), tmp_path / "runs" / name)
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
    assert found.systems["good"].measured.scores["accuracy"].value == pytest.approx(4 / 6)
    actors = found.systems["good"].actors
    assert {actor: scores["accuracy"] for actor, scores in actors.items()} == {"8": 1.0, "10": 0.5, "9": 0.5}
    (pair,) = found.comparisons
    assert (pair.only_first_right, pair.only_second_right) == (4, 1)
    assert pair.mcnemar.raw == pytest.approx(2 * (1 + 5) / 2**5)
    assert pair.actor_accuracy.raw == 0.5
    assert found.clips_left_out == 0


def test_the_part_can_be_chosen(runs: Path, tmp_path: Path) -> None:
    found = compare(["good", "bad"], part="val", runs=runs, out=tmp_path / "page.html")
    assert found.comparisons[0].accuracy_difference.value == 0


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
    assert (found.clips_left_out, found.comparisons[0].clips) == (1, 5)
    assert "1 more clip is left out" in words(page.read_text(encoding="utf8"))


def test_the_terminal_shows_scores_and_pairs(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(["good", "bad"], runs=runs, out=tmp_path / "page.html")
    text = " ".join(capsys.readouterr().out.split())
    assert "emotion on test · 6 clips of 3 actors" in text
    assert "good 66.7 [–, 3 actors]" in text
    assert "+50.0" in text
    assert "0.500 (0.500)" in text
    assert "With 3 actors the permutation test over actors can give no p below 0.250" in text
    assert text.endswith("page.html")


def test_names_stay_on_one_line_in_80_columns(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    (runs / "bad").rename(runs / "whisper_statistics-4")
    compare(["good", "whisper_statistics-4"], runs=runs, out=tmp_path / "page.html")
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith(" whisper_statistics-4 ") for line in lines) == 2
    assert max(len(line) for line in lines if not line.startswith("report")) <= 80
    assert not any("…" in line for line in lines)


def test_the_page_shows_the_same_and_loads_nothing(runs: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    compare(["good", "bad"], runs=runs, out=page)
    html = page.read_text(encoding="utf8")
    assert "<script" not in html
    assert not re.search(r"url\((?!#)|src=|<link", html)
    assert html.count("<svg") == 1
    text = words(html)
    assert "good 66.7 – (3 actors)" in text
    assert "good bad +50.0" in text
    assert "can give no p below 0.250" in text


def test_names_of_runs_are_escaped(runs: Path, tmp_path: Path) -> None:
    (runs / "bad").rename(runs / "<b>bad")
    page = tmp_path / "page.html"
    compare(["good", "<b>bad"], runs=runs, out=page)
    assert "<b>bad" not in page.read_text(encoding="utf8")


# find_runs, read_predictions


@pytest.fixture
def run(results: RunResults, tmp_path: Path) -> Path:
    """A finished run's folder."""
    folder = tmp_path / "runs" / "single"
    folder.mkdir(parents=True)
    write_files(results, evaluate_results(results), folder)
    return folder


def test_what_was_written_is_read_again(results: RunResults, run: Path) -> None:
    task, found = read_predictions(run, "test")
    expected = Predictions.of(results.output["test"], "emotion", results.tasks["emotion"], results.clips)
    assert (task, found.classes) == ("emotion", ["calm", "angry", "sad"])
    assert found.clip_ids == expected.clip_ids
    assert found.actors == expected.actors
    assert found.labels.tolist() == expected.labels.tolist()
    assert found.predicted.tolist() == expected.predicted.tolist()
    assert found.probabilities.tolist() == [pytest.approx(row, abs=1e-6) for row in expected.probabilities]


def test_unlabelled_clips_are_passed_over(run: Path) -> None:
    path = run / "predictions.csv"
    path.write_text(
        path.read_text(encoding="utf8").replace("test-0,8,test,emotion,calm,", "test-0,8,test,emotion,,")
    )
    assert len(read_predictions(run, "test")[1].clip_ids) == 5


def test_a_part_that_was_not_judged_is_refused(untested: RunResults, tmp_path: Path) -> None:
    write_files(untested, evaluate_results(untested), tmp_path)
    with pytest.raises(EmorecError, match=r"expected test predictions; found val only in .*--part"):
        read_predictions(tmp_path, "test")


@pytest.mark.parametrize(
    ("text", "found"),
    [("", "without rows"), ("clip,actor,split,task,label\na,1,test,emotion,calm\n", "without predicted")],
)
def test_another_table_is_refused(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "predictions.csv").write_text(text, encoding="utf8")
    with pytest.raises(EmorecError, match=found):
        read_predictions(tmp_path, "test")


def test_a_class_without_a_probability_is_refused(run: Path) -> None:
    path = run / "predictions.csv"
    path.write_text(path.read_text(encoding="utf8").replace("emotion,sad,angry", "emotion,bored,angry"))
    with pytest.raises(EmorecError, match="'bored' in"):
        read_predictions(run, "test")


def test_runs_are_found_by_path_and_by_name(run: Path) -> None:
    assert find_runs(["single"], run.parent) == {"single": run}
    assert find_runs([str(run)], Path("elsewhere")) == {"single": run}


def test_runs_of_one_name_are_called_as_given(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "single"
    other.mkdir(parents=True)
    (other / "predictions.csv").touch()
    assert find_runs(["single", str(other)], run.parent) == {"single": run, str(other): other}


def test_a_run_given_twice_is_refused(run: Path) -> None:
    with pytest.raises(EmorecError, match="different runs"):
        find_runs(["single", str(run)], run.parent)


def test_a_run_that_is_not_there_is_refused(run: Path) -> None:
    with pytest.raises(EmorecError, match=r"no predictions.csv in nothing or .*nothing; correct RUN"):
        find_runs(["nothing"], run.parent)


def test_another_task_or_other_classes_are_refused(runs: Path, run: Path, tmp_path: Path) -> None:
    path = run / "predictions.csv"
    text = path.read_text(encoding="utf8")
    path.write_text(text.replace(",emotion,", ",mood,"), encoding="utf8")
    with pytest.raises(
        EmorecError, match=r"emotion \(calm, angry, sad\) in good and mood \(calm, angry, sad\) in"
    ):
        compare(["good", "single"], runs=runs, out=tmp_path / "page.html")
    path.write_text(text.replace("p_calm,p_angry", "p_angry,p_calm").replace("calm", "calm"), encoding="utf8")
    with pytest.raises(EmorecError, match=r"emotion \(angry, calm, sad\) in single"):
        compare(["good", "single"], runs=runs, out=tmp_path / "page.html")


def test_runs_without_a_clip_in_common_are_refused(runs: Path, tmp_path: Path) -> None:
    path = runs / "bad" / "predictions.csv"
    path.write_text(path.read_text(encoding="utf8").replace("test-", "other-"), encoding="utf8")
    with pytest.raises(EmorecError, match="clips that all runs share; found none"):
        compare(["good", "bad"], runs=runs, out=tmp_path / "page.html", shared=True)
