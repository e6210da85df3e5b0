"""By hand from `RIGHT` in conftest.py: four clips a fold, two of each class, so chance is 1/2."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from io import StringIO
from math import e
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lightning_emorec.commands.crossval.collect import branch_file
from lightning_emorec.commands.crossval.gather import gather
from lightning_emorec.commands.crossval.report import how_solved, print_crossval, write_crossval_page
from lightning_emorec.commands.crossval.results import (
    CrossvalResults,
    crossval_content,
    logits_path,
    write_results,
)
from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.evaluate import evaluate_results
from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.evaluation.results import System
from lightning_emorec.part_logits import PartLogits
from tests.unit.commands.crossval.conftest import LABELS, add_seed, clip_ids, predicting

WORDS = System("words")


def summary(results: CrossvalResults) -> dict[str, Any]:
    return crossval_content(results, evaluate_results(results))


def shares(folder: Path, way: str) -> list[dict[str, float] | None]:
    system = System("weighted", "rule", way)  # type: ignore[arg-type]
    return [fold.weights[system]["mood"].shares for fold in gather(folder).folds]


def test_scores_are_pooled_over_folds(folder: Path) -> None:
    found = summary(gather(folder))["branches"]
    assert [of["accuracy"] for of in found["sound"]["mood"]["by_fold"]] == [0.75, 1.0]
    assert found["sound"]["mood"]["pooled"][0]["accuracy"] == 7 / 8
    assert found["words"]["mood"]["pooled"][0]["accuracy"] == 5 / 8
    assert found["sound"]["mood"]["folds"]["accuracy"] == {
        "mean": 0.875,
        "sd": pytest.approx(0.1767767),  # 0.125 × sqrt 2
    }


def test_weights_come_from_the_validation_split_in_one_way(folder: Path) -> None:
    # Above chance: fold 0 1/2 and 1/4, fold 1 the other way round.
    assert shares(folder, "val") == [
        pytest.approx({"sound": 2 / 3, "words": 1 / 3}),
        pytest.approx({"sound": 1 / 3, "words": 2 / 3}),
    ]


def test_weights_come_from_out_of_fold_logits_in_the_other_way(folder: Path) -> None:
    # Above chance: fold 0 1/4 and nothing, fold 1 1/4 and 1/2.
    assert shares(folder, "oof") == [
        pytest.approx({"sound": 1.0, "words": 0.0}),
        pytest.approx({"sound": 1 / 3, "words": 2 / 3}),
    ]
    found = summary(gather(folder))["weights"]["oof"]["weighted"]["mood"]["shares"]["sound"]
    assert found == {"mean": pytest.approx(2 / 3), "sd": pytest.approx(0.4714045)}  # 1/3 × sqrt 2


def test_a_rule_is_applied_to_the_test_logits_of_its_own_fold(folder: Path) -> None:
    # Out of fold, fold 0 uses `sound` alone: the clip that `sound` alone gets wrong is wrong.
    results = gather(folder)
    fused = results.pooled(System("weighted", "rule", "oof"), 1)
    row = fused.clip_ids.index("0-test-3")
    assert fused.logits["mood"][row].exp().tolist() == pytest.approx([e / (1 + e), 1 / (1 + e)])
    assert summary(results)["rules"]["oof"]["weighted"]["mood"]["pooled"][0]["accuracy"] == 6 / 8


def test_a_branch_without_inner_folds_restricts_the_rules_to_validation_clips(folder: Path) -> None:
    # `sound` is too expensive: its validation logits stand beside the out-of-fold ones of `words` for the same clips.
    for fold in range(2):
        cell = folder / f"seed1-fold{fold}"
        content = json.loads((cell / "cell.json").read_text())
        (cell / "cell.json").write_text(json.dumps({**content, "inner": ["words"]}))
        ids = [*clip_ids(fold, "inner"), *clip_ids(fold, "val")]
        inner = predicting(ids, LABELS * 2, [True] * 4 + [True, True, False, False])
        inner.save(cell / "logits" / "inner" / "words.pt")
    plan = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps({**plan, "single": ["sound"]}))
    results = gather(folder)
    assert {tuple(fold.solved_on.values()) for fold in results.folds} == {(4, 4)}
    assert shares(folder, "oof") == [pytest.approx({"sound": 1.0, "words": 0.0})] * 2
    sentence = how_solved(results)[1]
    assert "on the 4 validation clips" in sentence
    assert "sound: too expensive for inner folds" in sentence


def test_every_clip_is_pooled_once_with_its_actor(folder: Path) -> None:
    results = gather(folder)
    found = Predictions.of(results.pooled(WORDS, 1), "mood", results.tasks["mood"], results.clips)
    assert found.clip_ids == [*clip_ids(0, "test"), *clip_ids(1, "test")]
    assert found.actors == ["00", "00", "01", "01", "10", "10", "11", "11"]
    assert found.labels.tolist() == LABELS * 2
    assert found.predicted.tolist() == [1, 0, 0, 1, 1, 1, 0, 1]


def test_seeds_are_pooled_apart_and_spread(folder: Path) -> None:
    add_seed(folder)
    results = gather(folder)
    found = summary(results)["branches"]["sound"]["mood"]
    assert [(of["seed"], of["accuracy"]) for of in found["pooled"]] == [(1, 7 / 8), (2, 4 / 8)]
    assert found["seeds"]["accuracy"] == {"mean": 5.5 / 8, "sd": pytest.approx(0.2651650)}  # 3/16 × sqrt 2
    assert len(found["by_fold"]) == 4


def test_a_fold_that_is_not_done_is_named(folder: Path) -> None:
    (folder / "seed1-fold1" / "cell.json").unlink()
    with pytest.raises(EmorecError, match="found not seed1-fold1; run crossval again"):
        gather(folder)


def test_a_fold_of_another_plan_does_not_count(folder: Path) -> None:
    file = folder / "seed1-fold0" / "cell.json"
    file.write_text(file.read_text().replace("print0", "other"))
    with pytest.raises(EmorecError, match="found not seed1-fold0"):
        gather(folder)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match="the folder of a cross-validation"):
        gather(tmp_path)


def test_logits_of_every_system_are_left_with_each_clip_once(folder: Path) -> None:
    results = gather(folder)
    write_results(results, evaluate_results(results), folder)
    assert len(results.systems) == 2 + 4 + 4
    for system in results.systems:
        kept = PartLogits.load(logits_path(folder, system, 1))
        assert sorted(kept.clip_ids) == sorted([*clip_ids(0, "test"), *clip_ids(1, "test")])


def test_tables_of_predictions_say_fold_and_seed(folder: Path) -> None:
    results = gather(folder)
    write_results(results, evaluate_results(results), folder)
    with (folder / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["clip"] for row in rows] == [*clip_ids(0, "test"), *clip_ids(1, "test")]
    assert [row["fold"] for row in rows] == ["0"] * 4 + ["1"] * 4
    assert {(row["seed"], row["split"], row["task"]) for row in rows} == {("1", "test", "mood")}
    with (folder / "branch_predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["branch"] for row in rows] == ["sound"] * 8 + ["words"] * 8
    assert rows[7]["predicted"] == "down"
    assert rows[7]["p_down"] == f"{e / (1 + e):.6f}"


def test_the_json_has_both_ways_and_seconds(folder: Path) -> None:
    results = gather(folder)
    write_results(results, evaluate_results(results), folder)
    content = json.loads((folder / "crossval.json").read_text())
    assert content["chosen"] == {"name": "log_linear", "way": "oof"}
    assert set(content["rules"]["val"]) == set(content["rules"]["oof"]) == set(content["weights"]["oof"])
    assert [cell["seconds"] for cell in content["cells"]] == [{"fit": 2.0}, {"fit": 3.0}]
    assert content["cells"][0]["test_actors"] == ["00", "01"]


def test_the_table_shows_branches_rules_and_weights(folder: Path) -> None:
    out = StringIO()
    results = gather(folder)
    print_crossval(results, evaluate_results(results), folder / "crossval.html", Console(file=out, width=100))
    text = out.getvalue()
    assert "mood on 8 test clips" in text
    assert "87.5" in text
    assert "87.5 [62.5, 100.0]" in text
    assert "log_linear (chosen)" in text
    assert "0.67 ± 0.47" in text


def test_names_stay_on_one_line_in_80_columns_with_several_seeds(folder: Path) -> None:
    add_seed(folder)
    out, results = StringIO(), gather(folder)
    print_crossval(results, evaluate_results(results), folder / "crossval.html", Console(file=out, width=80))
    lines = out.getvalue().splitlines()
    assert max(len(line) for line in lines if not line.startswith("report")) <= 80
    for name in ("sound", "max_confidence", "log_linear (chosen)"):
        assert [line for line in lines if re.match(rf" {re.escape(name)} +[0-9.]+ ± [0-9.]+ \[", line)]
    assert "too narrow for: F1, ECE" in lines


def test_a_clip_in_two_folds_is_refused() -> None:
    part = predicting(["a", "b"], [0, 1], [True, True])
    with pytest.raises(ValueError, match="2 clips are in two parts"):
        PartLogits.join([part, part])


@pytest.mark.parametrize("fused", [True, False])
def test_prediction_sets_are_founded_on_the_kept_logits_of_a_finished_cross_validation(
    folder: Path, fused: bool
) -> None:
    assert "prediction_sets" not in summary(gather(folder))  # the actors of these clips are not known
    plan = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps({**plan, "fused": fused}))
    for fold, source in ((0, "inner"), (1, "inner"), (0, "val"), (1, "val")):
        for name in ("sound", "words"):
            file = branch_file(folder / f"seed1-fold{fold}", name, source)  # type: ignore[arg-type]
            others = replace(PartLogits.load(file), clip_ids=clip_ids(1 - fold, "test"))
            others.save(file)
    found = summary(gather(folder))["prediction_sets"]
    assert (found["validation_actors"], found["nominal"]) == (2, True)
    assert found["coverage"] == 1.0  # four scores are too few for a threshold: all classes are in
    assert found["mean_size"] == 2.0
    assert set(found["actors"]) == {"00", "01", "10", "11"}
    results = gather(folder)
    evaluation, console = evaluate_results(results), Console(file=StringIO(), width=200)
    page = write_crossval_page(results, evaluation, folder)
    print_crossval(results, evaluation, page, console)
    assert "prediction sets for 90% (nominal), founded on 2 validation actors" in console.file.getvalue()  # type: ignore[attr-defined]
    assert "<h2>Prediction sets</h2>" in page.read_text(encoding="utf8")
