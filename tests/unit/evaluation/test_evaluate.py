from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from lightning_emorec.evaluation.evaluate import evaluate_results
from lightning_emorec.evaluation.intervals import Bootstrap
from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.evaluation.results import RunResults
from lightning_emorec.evaluation.significance import paired_tests
from lightning_emorec.evaluation.writers import evaluation_content
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import UNLABELLED
from tests.unit.evaluation.conftest import parts_of, with_logits


def content(results: RunResults, bootstrap: Bootstrap | None = None) -> dict[str, Any]:
    return evaluation_content(evaluate_results(results, bootstrap or Bootstrap()))


def test_a_fusion_s_systems_are_its_branches_and_rules(fused: RunResults) -> None:
    evaluation = evaluate_results(fused)
    assert list(evaluation.systems) == ["sound", "words", "average", "log_linear"]
    assert (evaluation.model, evaluation.best_branch) == ("log_linear", "sound")
    assert evaluation.measured.scores["accuracy"].value == pytest.approx(4 / 6)


def test_a_single_branch_is_its_judged_part_and_is_compared_with_nothing(results: RunResults) -> None:
    evaluation = evaluate_results(results)
    assert (list(evaluation.systems), evaluation.model, evaluation.best_branch) == (["test"], "test", None)
    assert evaluation.comparisons == []
    assert evaluation.against("test", None) is None


def test_a_run_without_test_is_judged_on_validation(untested: RunResults) -> None:
    evaluation = evaluate_results(untested)
    assert evaluation.part == "val"
    assert evaluation.measured.scores["accuracy"].value == pytest.approx(3 / 6)


def test_a_rule_and_a_branch_of_one_name_are_two_systems(fused: RunResults) -> None:
    branches = {"average": parts_of(fused, "branch")["words"], "sound": parts_of(fused, "branch")["sound"]}
    evaluation = evaluate_results(with_logits(fused, branches=branches))
    assert list(evaluation.systems) == ["average", "sound", "average (rule)", "log_linear"]


def test_intervals_are_those_of_drawn_actors(results: RunResults) -> None:
    # Actors have 2, 1 and 1 of 2 right. All three draws are the first actor with p = 1/27, none with p = 8/27.
    intervals = content(results)["intervals"]
    assert (intervals["part"], intervals["task"], intervals["actors"]) == ("test", "emotion", 3)
    assert intervals["accuracy"] == [0.5, 1.0]
    assert intervals["systems"]["test"]["accuracy"] == [0.5, 1.0]
    assert list(intervals["recall"]) == ["calm", "angry", "sad"]


def test_a_class_of_one_actor_has_no_interval(results: RunResults) -> None:
    recall = content(results)["intervals"]["recall"]
    assert recall["calm"] == [1.0, 1.0]  # of actors 8 and 9, all right
    assert recall["angry"] is None  # of actor 10 alone
    assert recall["sad"] is None


def test_groups_are_the_classes_of_the_further_tasks(results: RunResults) -> None:
    groups = content(results)["groups"]
    assert list(groups) == ["sex"]
    male, female = groups["sex"]["male"], groups["sex"]["female"]
    assert (male["clips"], male["actors"], male["accuracy"]) == (3, 2, 1.0)
    assert (female["clips"], female["actors"], female["accuracy"]) == (2, 2, 0.0)
    assert male["intervals"]["accuracy"] == [1.0, 1.0]


def test_groups_leave_out_clips_that_the_first_task_does_not_label(results: RunResults) -> None:
    part = results.output["test"]
    labels = {**part.labels, "emotion": torch.tensor([0, UNLABELLED, 1, 1, 2, 0])}
    groups = evaluate_results(
        with_logits(results, output={"test": PartLogits(part.clip_ids, part.logits, labels)})
    ).groups
    assert groups["sex"]["male"].clips == 2


def test_a_task_without_labels_makes_no_groups(results: RunResults) -> None:
    part = results.output["test"]
    labels = {**part.labels, "sex": torch.full((6,), UNLABELLED)}
    unlabelled = with_logits(results, output={"test": PartLogits(part.clip_ids, part.logits, labels)})
    assert evaluate_results(unlabelled).groups == {}


def test_actors_have_scores_of_their_own(results: RunResults) -> None:
    actors = content(results)["actors"]
    assert {actor: scores["accuracy"] for actor, scores in actors.items()} == {"8": 1.0, "10": 0.5, "9": 0.5}


def test_calibration_is_of_the_model(results: RunResults) -> None:
    # Each clip has its class with p = e^2 / (e^2 + 2) = 0.787, and 4 of 6 are right.
    found = content(results)["calibration"]
    assert found["ece"] == pytest.approx(0.786986 - 4 / 6, abs=1e-6)
    assert found["classwise_ece"] == pytest.approx(sum(found["class_errors"].values()) / 3)


def test_the_risk_is_of_the_surest_first(results: RunResults) -> None:
    part = results.output["test"]
    surer = {**part.logits, "emotion": part.logits["emotion"] * torch.tensor([3, 3, 3, 1, 1, 3]).unsqueeze(1)}
    sure_of_the_right = with_logits(results, output={"test": PartLogits(part.clip_ids, surer, part.labels)})
    # Four right ones, then one and two wrong ones, of which neither is the surer.
    assert evaluate_results(sure_of_the_right).of_model.risk.risk == pytest.approx([0, 0, 0, 0, 1 / 5, 2 / 6])
    assert content(sure_of_the_right)["calibration"]["aurc"] == pytest.approx((1 / 5 + 2 / 6) / 6)


def test_calibration_is_of_every_system(fused: RunResults) -> None:
    found = content(fused)["calibration"]
    assert found["systems"]["log_linear"]["ece"] == found["ece"]
    assert found["systems"]["words"]["ece"] == pytest.approx(0.786986 - 1 / 6, abs=1e-6)


def test_every_pair_is_compared(fused: RunResults) -> None:
    evaluation = evaluate_results(fused)
    assert len(evaluation.comparisons) == 6
    pairs = evaluation_content(evaluation)["comparisons"]
    first = pairs[0]
    assert (first["first"], first["second"], first["least_p"]) == ("sound", "words", 0.25)
    assert first["accuracy_difference"]["value"] == pytest.approx(0.5)
    assert first["actor_accuracy"]["raw"] == 0.5  # differences 1, 1/2 and 0
    assert set(first["mcnemar"]) == {"raw", "holm"}
    json.dumps(evaluation_content(evaluation), allow_nan=False)


def test_a_comparison_is_found_from_either_side(fused: RunResults) -> None:
    evaluation = evaluate_results(fused)
    one, other = evaluation.against("sound", "words"), evaluation.against("words", "sound")
    assert one is not None
    assert other == one.turned()


def test_systems_are_compared_on_the_clips_that_all_could_take(fused: RunResults) -> None:
    whole = parts_of(fused, "branch")["sound"]["test"]
    heard = PartLogits(
        whole.clip_ids[2:],
        {task: values[2:] for task, values in whole.logits.items()},
        {task: values[2:] for task, values in whole.labels.items()},
    )
    branches = {**parts_of(fused, "branch"), "sound": {"test": heard}}
    evaluation = evaluate_results(with_logits(fused, branches=branches))
    assert evaluation.systems["sound"].measured.clips == 4
    assert evaluation.systems["words"].measured.clips == 6
    assert {pair.clips for pair in evaluation.comparisons} == {4}


def test_the_level_can_be_chosen(results: RunResults) -> None:
    wide, narrow = (content(results, Bootstrap(level=level)) for level in (0.95, 0.5))
    assert narrow["intervals"]["level"] == 0.5
    assert narrow["intervals"]["accuracy"] != wide["intervals"]["accuracy"]


def test_comparisons_agree_with_those_of_the_predictions(fused: RunResults) -> None:
    classes = fused.tasks["emotion"]
    predicted = {
        name: Predictions.of(of["test"], "emotion", classes, fused.clips)
        for name, of in parts_of(fused, "branch").items()
    }
    (alone,) = paired_tests(predicted)
    among_six = evaluate_results(fused).against("sound", "words")
    assert among_six is not None
    assert (among_six.mcnemar.raw, among_six.actor_uar.raw) == (alone.mcnemar.raw, alone.actor_uar.raw)
    assert among_six.mcnemar.holm >= alone.mcnemar.holm
