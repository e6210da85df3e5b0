from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lightning_emorec.evaluation.evaluate import evaluate_results
from lightning_emorec.evaluation.formats import actor_list
from lightning_emorec.evaluation.leaderboard import ScoreRow, mean_and_sd, score_rows, warnings
from lightning_emorec.evaluation.results import RunResults
from lightning_emorec.part_logits import PartLogits
from tests.unit.evaluation.conftest import parts_of, with_logits


def rows(results: RunResults) -> list[ScoreRow]:
    return score_rows(results, evaluate_results(results))


def test_a_fusion_lists_branches_rules_and_references(fused: RunResults) -> None:
    lines = [(line.name, line.kind, line.weight) for line in rows(fused)]
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
    scores = {line.name: line.scores for line in rows(fused)}
    assert scores["sound"]["accuracy"] == pytest.approx(4 / 6)
    assert scores["words"]["accuracy"] == pytest.approx(1 / 6)
    assert scores["oracle"] == {"accuracy": pytest.approx(5 / 6)}


def test_chance_is_the_largest_class_and_one_of_the_classes_that_occur(results: RunResults) -> None:
    assert rows(results)[-1].scores == {"accuracy": pytest.approx(3 / 6), "uar": pytest.approx(1 / 3)}


def test_a_fusion_of_one_branch_has_no_oracle(fused: RunResults) -> None:
    alone = with_logits(fused, branches={"sound": parts_of(fused, "branch")["sound"]})
    assert "oracle" not in [line.kind for line in rows(alone)]


def test_a_single_branch_lists_its_parts(results: RunResults) -> None:
    assert [(line.name, line.kind) for line in rows(results)] == [
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


def test_the_judged_part_states_why_there_was_no_test(results: RunResults, untested: RunResults) -> None:
    assert results.judged_part == "TEST"
    assert untested.judged_part == "VALIDATION (test actors absent: 1, 9, 17, 19)"
    assert replace(untested, absent_test_actors=[]).judged_part == "VALIDATION (not tested)"


def test_the_size_counts_labelled_clips_only(results: RunResults) -> None:
    assert results.judged_size == "6 clips of 3 actors"
    by_sex = replace(results, tasks={"sex": results.tasks["sex"]})
    assert by_sex.judged_size == "5 clips of 3 actors"


def test_a_model_that_predicts_one_class_only_is_warned_of(results: RunResults) -> None:
    only_validated = with_logits(results, output={"val": results.output["val"]})
    (warning,) = warnings(only_validated)
    assert "AudioCnn predicts one class only: emotion is 'calm' for all 6 clips" in warning


def test_a_branch_that_predicts_one_class_only_is_warned_of(fused: RunResults) -> None:
    branches = parts_of(fused, "branch")
    one_class = {"val": branches["words"]["val"], "test": fused.output["val"]}
    found = warnings(with_logits(fused, branches={**branches, "words": one_class}))
    assert [warning.split()[0] for warning in found] == ["words"]


def test_one_prediction_for_clips_of_one_class_is_no_fault(results: RunResults) -> None:
    ids = ["test-0", "test-1"]
    men = PartLogits(ids, {"sex": torch.tensor([[2.0, 0.0]] * 2)}, {"sex": torch.tensor([0, 0])})
    assert (
        warnings(with_logits(replace(results, tasks={"sex": ["male", "female"]}), output={"test": men})) == []
    )


def test_one_value_has_a_mean_and_no_deviation() -> None:
    assert mean_and_sd([0.5]) == {"mean": 0.5, "sd": None}
    assert mean_and_sd([0.5, 0.6, 0.7]) == {"mean": pytest.approx(0.6), "sd": pytest.approx(0.1)}
