"""By hand from `RIGHT` in conftest.py; four test actors of two clips each: 00 and 01 in fold 0, 10 and 11 in fold 1.

`sound` has 2, 1, 2, 2 of them right, `words` 0, 2, 1 (the second), 2.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lightning_emorec.commands.crossval.gather import gather
from lightning_emorec.commands.crossval.results import write_results
from lightning_emorec.evaluation.evaluate import evaluate_results
from lightning_emorec.evaluation.leaderboard import warnings
from lightning_emorec.evaluation.writers import ends
from tests.unit.commands.crossval.conftest import add_seed, clip_ids, predicting


def test_intervals_are_over_the_actors_of_all_folds(folder: Path) -> None:
    evaluation = evaluate_results(gather(folder))
    of = evaluation.systems["sound"].measured
    assert (of.clips, of.actors, of.scores["accuracy"].value) == (8, 4, 7 / 8)
    # All four draws are the actor with 1 of 2 with p = 1/256; with at least three of them, 13/256 = 0.05.
    assert ends(of.scores["accuracy"]) == [0.625, 1.0]
    assert evaluation.systems["words"].actors["00"]["accuracy"] == 0.0


def test_every_system_is_compared_with_the_best_branch(folder: Path) -> None:
    evaluation = evaluate_results(gather(folder))
    assert (evaluation.best_branch, evaluation.model) == ("sound", "log_linear (out of fold)")
    assert [pair.second for pair in evaluation.comparisons[:-1]] == ["sound"] * 9
    last = evaluation.comparisons[-1]
    assert (last.first, last.second) == ("log_linear (out of fold)", "log_linear (validation split)")
    words = evaluation.against("words", "sound")
    assert words is not None
    assert words.accuracy_difference.value == -2 / 8
    # Differences by actor -1, 1/2, -1/2, 0: of eight patterns of signs, those that sum to at least 1 in size.
    assert words.actor_accuracy.raw == 0.75
    assert words.mcnemar.raw == 0.625  # 1 to 3 clips: 2 × (1 + 4) / 16
    assert (words.only_first_right, words.only_second_right) == (1, 3)


def test_holm_corrects_for_the_pairs_that_are_tested_and_no_others(folder: Path) -> None:
    evaluation = evaluate_results(gather(folder))
    least = min(evaluation.comparisons, key=lambda pair: pair.mcnemar.raw)
    assert len(evaluation.comparisons) == 10
    assert least.mcnemar.holm == min(1.0, 10 * least.mcnemar.raw)


def test_of_several_seeds_the_first_is_evaluated(folder: Path) -> None:
    alone = evaluate_results(gather(folder))
    add_seed(folder)
    assert evaluate_results(gather(folder)) == alone


def test_the_json_keeps_what_it_had_and_gains_what_a_run_has(folder: Path) -> None:
    results = gather(folder)
    write_results(results, evaluate_results(results), folder)
    content = json.loads((folder / "crossval.json").read_text())
    assert content["branches"]["sound"]["mood"]["pooled"][0]["accuracy"] == 7 / 8
    intervals = content["intervals"]
    assert (intervals["seed"], intervals["actors"], intervals["task"]) == (1, 4, "mood")
    assert intervals["systems"]["sound"]["accuracy"] == [0.625, 1.0]
    assert set(intervals["systems"]["words"]["recall"]) == {"up", "down"}
    assert set(content["calibration"]["systems"]["words"]) == {"ece", "classwise_ece", "class_errors", "aurc"}
    assert content["system_actors"]["sound"]["01"]["accuracy"] == 0.5
    assert len(content["comparisons"]) == 10
    assert content["warnings"] == []


def test_pretrained_weights_trained_on_the_corpus_cause_a_warning(folder: Path) -> None:
    known = "emotion2vec/emotion2vec_plus_base"
    corpus = "{class_path: lightning_emorec.corpora.Ravdess}"
    (folder / "config.yaml").write_text(f"model: {{weights: {known}}}\ndata: {{corpus: {corpus}}}\n")
    assert [known in warning for warning in warnings(gather(folder))] == [True]


def test_a_branch_that_predicts_one_class_only_in_a_fold_is_warned_of(folder: Path) -> None:
    assert warnings(gather(folder)) == []
    one_class = predicting(clip_ids(1, "test"), [0, 1, 0, 1], [True, False, True, False])
    one_class.save(folder / "seed1-fold1" / "logits" / "test" / "words.pt")
    (warning,) = [warning for warning in warnings(gather(folder)) if "words" in warning]
    assert "words predicts one class only: in 1 of 2 folds" in warning


@pytest.mark.parametrize("single", [[], ["sound"]])
def test_the_command_repeats_it(folder: Path, single: list[str]) -> None:
    plan = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps({**plan, "single": single}))
    asked = "--single sound " if single else ""
    assert gather(folder).command == (
        "python -m lightning_emorec crossval --config config.yaml --folds 2 --seeds 1 --inner 2 "
        f"{asked}--val_actors 1"
    )
