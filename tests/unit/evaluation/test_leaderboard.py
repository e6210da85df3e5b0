from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lightning_emorec.evaluation.leaderboard import (
    actor_list,
    judged_part,
    judged_size,
    one_class_warnings,
    standings,
)
from lightning_emorec.evaluation.results import RunResults
from lightning_emorec.part_logits import PartLogits


def test_a_fusion_lists_branches_rules_and_references(fused: RunResults) -> None:
    lines = [(line.name, line.kind, line.weight) for line in standings(fused)]
    assert lines == [
        ("sound", "branch", 0.75),
        ("words", "branch", 0.25),
        ("more", "left out", None),
        ("average", "rule", None),
        ("log_linear", "chosen", None),
        ("oracle", "oracle", None),
        ("chance", "chance", None),
    ]


def test_the_oracle_is_right_where_any_branch_is(fused: RunResults) -> None:
    scores = {line.name: line.scores for line in standings(fused)}
    assert scores["sound"]["accuracy"] == pytest.approx(4 / 6)
    assert scores["words"]["accuracy"] == pytest.approx(1 / 6)
    assert scores["oracle"] == {"accuracy": pytest.approx(5 / 6)}


def test_chance_is_the_largest_class_and_one_of_the_classes_that_occur(results: RunResults) -> None:
    assert standings(results)[-1].scores == {"accuracy": pytest.approx(3 / 6), "uar": pytest.approx(1 / 3)}


def test_a_fusion_of_one_branch_has_no_oracle(fused: RunResults) -> None:
    alone = replace(fused, branches={"sound": fused.branches["sound"]})
    assert "oracle" not in [line.kind for line in standings(alone)]


def test_a_single_branch_lists_its_parts(results: RunResults) -> None:
    assert [(line.name, line.kind) for line in standings(results)] == [
        ("validation", "part"),
        ("test", "part"),
        ("chance", "chance"),
    ]


@pytest.mark.parametrize(
    ("actors", "listed"),
    [
        (["10", "2", "3", "4", "5", "6", "7", "8"], "2-8, 10"),
        (["9", "1", "10"], "1, 9, 10"),
        (["01", "02", "03"], "1-3"),
        (["Ross", "Monica", "2"], "2, Monica, Ross"),
        ([], ""),
    ],
)
def test_actors_are_listed_in_natural_order_with_runs_compressed(actors: list[str], listed: str) -> None:
    assert actor_list(actors) == listed


def test_the_judged_part_says_why_there_was_no_test(results: RunResults, untested: RunResults) -> None:
    assert judged_part(results) == "TEST"
    assert judged_part(untested) == "VALIDATION (test actors absent: 1, 9, 17, 19)"
    assert judged_part(replace(untested, absent_test_actors=[])) == "VALIDATION (not tested)"


def test_the_size_counts_labelled_clips_only(results: RunResults) -> None:
    assert judged_size(results) == "6 clips of 3 actors"
    by_sex = replace(results, tasks={"sex": results.tasks["sex"]})
    assert judged_size(by_sex) == "5 clips of 3 actors"


def test_a_model_that_predicts_one_class_only_is_warned_of(results: RunResults) -> None:
    only_validated = replace(results, output={"val": results.output["val"]})
    (warning,) = one_class_warnings(only_validated)
    assert "AudioCnn predicts one class only: emotion is 'calm' for all 6 clips" in warning


def test_a_branch_that_predicts_one_class_only_is_warned_of(fused: RunResults) -> None:
    dull = {"val": fused.branches["words"]["val"], "test": fused.output["val"]}
    warnings = one_class_warnings(replace(fused, branches={**fused.branches, "words": dull}))
    assert [warning.split()[0] for warning in warnings] == ["words"]


def test_one_prediction_for_clips_of_one_class_is_no_fault(results: RunResults) -> None:
    ids = ["test-0", "test-1"]
    men = PartLogits(ids, {"sex": torch.tensor([[2.0, 0.0]] * 2)}, {"sex": torch.tensor([0, 0])})
    assert one_class_warnings(replace(results, tasks={"sex": ["male", "female"]}, output={"test": men})) == []
