from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.evaluate import judge
from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.evaluation.results import RunResults
from lightning_emorec.evaluation.run_predictions import (
    RunPredictions,
    check_same,
    find_runs,
    on_shared_clips,
    read_predictions,
)
from lightning_emorec.evaluation.writers import write_files
from tests.unit.evaluation.made_up import predictions

CLASSES = ["calm", "angry"]


@pytest.fixture
def run(results: RunResults, tmp_path: Path) -> Path:
    """A finished run's folder."""
    folder = tmp_path / "runs" / "single"
    folder.mkdir(parents=True)
    write_files(results, judge(results), folder)
    return folder


def of(*clips: str, classes: list[str] = CLASSES, task: str = "emotion") -> RunPredictions:
    said = predictions(("a", [0] * len(clips), [0] * len(clips)))
    return RunPredictions(task, classes, replace(said, clip_ids=list(clips)))


def test_what_was_written_is_read_again(results: RunResults, run: Path) -> None:
    found = read_predictions(run, "test")
    expected = Predictions.of(results.output["test"], "emotion", results.clips)
    assert (found.task, found.classes) == ("emotion", ["calm", "angry", "sad"])
    assert found.predictions.clip_ids == expected.clip_ids
    assert found.predictions.actors == expected.actors
    assert found.predictions.labels.tolist() == expected.labels.tolist()
    assert found.predictions.predicted.tolist() == expected.predicted.tolist()


def test_unlabelled_clips_are_passed_over(run: Path) -> None:
    path = run / "predictions.csv"
    path.write_text(
        path.read_text(encoding="utf8").replace("test-0,8,test,emotion,calm,", "test-0,8,test,emotion,,")
    )
    assert len(read_predictions(run, "test").predictions.clip_ids) == 5


def test_a_part_that_was_not_judged_is_refused(untested: RunResults, tmp_path: Path) -> None:
    write_files(untested, judge(untested), tmp_path)
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
    with pytest.raises(EmorecError, match=r"no predictions.csv in nothing or .*nothing; mend RUN"):
        find_runs(["nothing"], run.parent)


def test_runs_of_the_same_clips_pass_in_any_order() -> None:
    check_same({"one": of("a", "b"), "two": of("b", "a")})


def test_other_clips_are_refused_with_the_way_out() -> None:
    with pytest.raises(EmorecError, match=r"2 that only one of one and two has, such as b; .*--shared true"):
        check_same({"one": of("a", "b"), "two": of("a", "c")})


def test_another_task_or_other_classes_are_refused() -> None:
    with pytest.raises(EmorecError, match=r"emotion \(calm, angry\) in one and sex \(calm, angry\) in two"):
        check_same({"one": of("a"), "two": of("a", task="sex")})
    with pytest.raises(EmorecError, match=r"emotion \(angry, calm\) in two"):
        check_same({"one": of("a"), "two": of("a", classes=["angry", "calm"])})


def test_clips_that_not_all_runs_have_are_left_out() -> None:
    kept = on_shared_clips({"one": of("a", "b", "c"), "two": of("d", "c", "b")})
    assert [run.predictions.clip_ids for run in kept.values()] == [["b", "c"], ["c", "b"]]
    with pytest.raises(EmorecError, match="clips that all runs share; found none"):
        on_shared_clips({"one": of("a"), "two": of("b")})
