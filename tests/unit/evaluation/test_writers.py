from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from lightning_emorec.evaluation.evaluate import evaluate_results
from lightning_emorec.evaluation.finish import finish
from lightning_emorec.evaluation.results import RunResults, Weights
from lightning_emorec.evaluation.writers import metrics_content, write_files
from lightning_emorec.runs.folder import is_done
from tests.unit.evaluation.conftest import with_logits, with_rule

PROBABILITIES = ["p_calm", "p_angry", "p_sad", "p_male", "p_female"]


def write(results: RunResults, folder: Path) -> None:
    write_files(results, evaluate_results(results), folder)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf8") as lines:
        return list(csv.DictReader(lines))


def test_predictions_have_one_row_a_clip_and_task(results: RunResults, tmp_path: Path) -> None:
    write(results, tmp_path)
    written = rows(tmp_path / "predictions.csv")
    assert list(written[0]) == ["clip", "actor", "split", "task", "label", "predicted", *PROBABILITIES]
    assert len(written) == 2 * 6 * 2
    assert {(row["clip"], row["task"]) for row in written} == {
        (f"{part}-{clip}", task)
        for part in ("val", "test")
        for clip in range(6)
        for task in ("emotion", "sex")
    }


def test_a_row_has_the_clip_and_its_prediction(results: RunResults, tmp_path: Path) -> None:
    write(results, tmp_path)
    row = next(
        row
        for row in rows(tmp_path / "predictions.csv")
        if row["clip"] == "test-4" and row["task"] == "emotion"
    )
    e2 = 2.718281828**2
    assert (row["actor"], row["split"], row["label"], row["predicted"]) == ("9", "test", "sad", "angry")
    assert float(row["p_angry"]) == pytest.approx(e2 / (e2 + 2), abs=1e-6)
    assert len(row["p_angry"]) == len("0.786986")


def test_probabilities_of_a_row_add_up_to_1_and_other_tasks_are_blank(
    results: RunResults, tmp_path: Path
) -> None:
    write(results, tmp_path)
    for row in rows(tmp_path / "predictions.csv"):
        own = PROBABILITIES[:3] if row["task"] == "emotion" else PROBABILITIES[3:]
        assert sum(float(row[column]) for column in own) == pytest.approx(1, abs=3e-6)
        assert not any(row[column] for column in PROBABILITIES if column not in own)


def test_the_label_of_an_unlabelled_clip_is_blank(results: RunResults, tmp_path: Path) -> None:
    write(results, tmp_path)
    blank = [row["clip"] for row in rows(tmp_path / "predictions.csv") if not row["label"]]
    assert blank == ["val-5", "test-5"]


def test_a_class_of_two_tasks_has_one_column(results: RunResults, tmp_path: Path) -> None:
    tasks = {"emotion": ["calm", "angry", "sad"], "sex": ["male", "sad"]}
    write(replace(results, tasks=tasks), tmp_path)
    columns = list(rows(tmp_path / "predictions.csv")[0])
    assert columns[6:] == ["p_calm", "p_angry", "p_sad", "p_male"]


def test_a_single_branch_has_no_branch_predictions(results: RunResults, tmp_path: Path) -> None:
    write(results, tmp_path)
    assert not (tmp_path / "branch_predictions.csv").exists()


def test_branch_predictions_name_the_branch_after_the_clip(fused: RunResults, tmp_path: Path) -> None:
    write(fused, tmp_path)
    written = rows(tmp_path / "branch_predictions.csv")
    assert list(written[0])[:3] == ["clip", "branch", "actor"]
    said = {
        row["branch"]: row["predicted"]
        for row in written
        if row["clip"] == "test-4" and row["task"] == "emotion"
    }
    assert said == {"sound": "angry", "words": "sad"}


def test_metrics_hold_scores_between_0_and_1(fused: RunResults, tmp_path: Path) -> None:
    write(fused, tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf8"))
    assert metrics["test"]["emotion"]["accuracy"] == pytest.approx(4 / 6, abs=1e-6)
    assert metrics["test"]["emotion"]["uar"] == pytest.approx((3 / 3 + 1 / 2 + 0) / 3, abs=1e-6)
    assert metrics["test"]["sex"]["clips"] == 5
    assert metrics["branches"]["words"]["test"]["emotion"]["accuracy"] == pytest.approx(1 / 6, abs=1e-6)
    assert metrics["fusion"] == {
        "rule": "log_linear",
        "weights": {"sound": 0.75, "words": 0.25},
        "temperature": 1.25,
    }
    assert metrics["left_out"] == {"more": "expected weights; found none; download them"}


def test_metrics_say_how_far_they_can_be_trusted(fused: RunResults, tmp_path: Path) -> None:
    write(fused, tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf8"))
    assert metrics["intervals"]["accuracy"] == [0.5, 1.0]
    assert {"groups", "actors", "calibration", "comparisons"} <= set(metrics)
    assert metrics_content(fused, None).keys() <= metrics.keys()


def test_metrics_leave_the_test_out_where_there_was_none(untested: RunResults, tmp_path: Path) -> None:
    write(untested, tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf8"))
    assert "test" not in metrics
    assert metrics["absent_test_actors"] == ["17", "1", "19", "9"]


def test_what_is_not_finite_is_null_in_metrics(fused: RunResults, tmp_path: Path) -> None:
    weights = Weights({"sound": float("nan"), "words": 0.0}, float("inf"))
    write(with_rule(fused, "log_linear", weights), tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf8"))
    assert metrics["fusion"]["weights"]["sound"] is None
    assert metrics["fusion"]["temperature"] is None


def test_nothing_unfinished_is_left_behind(fused: RunResults, tmp_path: Path) -> None:
    write(fused, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "branch_predictions.csv",
        "metrics.json",
        "predictions.csv",
    ]


def test_metrics_hold_the_scores_before_the_refit_in_the_same_shape(
    refitted: RunResults, fused: RunResults, tmp_path: Path
) -> None:
    write(refitted, tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    before = metrics["before_refit"]
    assert before["test"]["emotion"]["accuracy"] == pytest.approx(1 / 6, abs=1e-6)
    assert before["branches"]["words"]["test"] == metrics["branches"]["sound"]["test"]
    assert before["rules"].keys() == metrics["rules"].keys()
    assert metrics["refit"]["sound"] == {"folder": "sound-2", "epochs": 9}
    assert not {"refit", "before_refit"} & metrics_content(fused, None).keys()


def test_a_refit_without_clips_to_judge_has_metrics_and_is_done(results: RunResults, tmp_path: Path) -> None:
    finish(with_logits(replace(results, clips={}), output={}), tmp_path, {})
    assert {"val", "test", "intervals"}.isdisjoint(json.loads((tmp_path / "metrics.json").read_text()))
    assert is_done(tmp_path)
    assert not (tmp_path / "report.html").exists()
