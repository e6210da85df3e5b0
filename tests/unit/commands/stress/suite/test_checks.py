from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from lightning_emorec.commands.stress.suite.checks import (
    Check,
    Judged,
    correctness,
    proportions,
    robustness,
)
from lightning_emorec.commands.stress.suite.conditions import CONDITIONS
from lightning_emorec.commands.stress.suite.fairness import fairness, random_answers
from lightning_emorec.commands.stress.suite.results import outcomes


def judged(labels: Sequence[int], actors: Sequence[str], **groups: list[str | None]) -> Judged:
    return Judged(np.array(labels), ["calm", "angry", "sad"], list(actors), groups)


def figures(checks: list[Check], **answers: Sequence[int]) -> dict[str, float]:
    given = {name: np.array([of]) for name, of in answers.items()}
    return {check.name: float(check.figure(given)[0]) for check in checks}


def test_correctness_is_precision_and_recall_of_each_class_that_has_clips() -> None:
    checks = list(correctness(judged([0, 0, 0, 1], "abcd")))
    found = figures(checks, clean=[0, 0, 1, 1])
    assert found == {
        "precision of calm": 1.0,
        "recall of calm": pytest.approx(2 / 3),
        "precision of angry": 0.5,
        "recall of angry": 1.0,
        "UAP": 0.75,
        "UAR": pytest.approx(5 / 6),
    }
    assert {check.threshold for check in checks} == {0.5}


def test_the_precision_of_a_class_that_is_never_predicted_is_undefined_and_fails() -> None:
    checks = list(correctness(judged([0, 1], "ab")))
    answers = {"clean": np.array([[0, 0]])}
    found = {of.name: of for of in outcomes(checks, answers, answers)}
    assert found["precision of angry"].figure is None
    assert not found["precision of angry"].passed
    assert found["UAP"].figure == 0.25
    assert found["precision of calm"].passed  # .5, on the threshold


def test_class_counts_are_compared_relative_to_the_right_count() -> None:
    found = figures(list(proportions(judged([0, 0, 1, 1], "abcd"))), clean=[0, 0, 0, 1])
    assert found == {
        "relative difference of the count of calm": 0.5,
        "relative difference of the count of angry": -0.5,
    }


def test_speakers_are_compared_where_each_has_eight_clips_of_a_class() -> None:
    # a: 8 calm; b: 8 calm and 8 angry. Answers: a half calm, b right.
    labels, actors = [0] * 8 + [0] * 8 + [1] * 8, "a" * 8 + "b" * 16
    checks = list(proportions(judged(labels, actors)))
    found = figures(checks, clean=[0, 1] * 4 + labels[8:])
    assert found["error of the share of calm by speaker"] == pytest.approx(0.25)
    assert np.isnan(found["speakers by share of calm"])  # all have the same share among the answers
    assert figures(checks, clean=labels)["speakers by share of calm"] == pytest.approx(1.0)
    assert "error of the share of angry by speaker" not in found


def test_speakers_with_equal_shares_have_no_ranking() -> None:
    labels = [0] * 8 + [1] * 8
    groups = {check.group for check in proportions(judged(labels * 2, "a" * 16 + "b" * 16))}
    assert groups == {"class proportions", "speaker average"}


def test_robustness_counts_unchanged_predictions_and_the_change_of_uar() -> None:
    checks = list(robustness(judged([0, 0, 1, 1], "abcd"), [CONDITIONS["noise_white"], CONDITIONS["tone"]]))
    found = figures(checks, clean=[0, 0, 1, 0], noise_white=[0, 1, 1, 0], tone=[0, 0, 1, 1])
    assert found == {
        "White noise, 20 dB SNR: change of UAR": -0.25,
        "White noise, 20 dB SNR: unchanged": 0.75,
        "Tone of 5-7 kHz, 40-50 dB SNR: unchanged": 0.75,
    }
    assert [check.threshold for check in checks] == [-0.05, 0.9, 0.95]


def test_rooms_are_compared_with_the_base_room() -> None:
    checks = list(robustness(judged([0, 1], "ab"), [CONDITIONS["room_hall"]]))
    assert list(figures(checks, clean=[0, 1], room_base=[1, 1], room_hall=[1, 0]).values()) == [0.5]


def test_fairness_of_two_groups_is_their_difference() -> None:
    sexes: list[str | None] = ["male", "male", "female", "female", None]
    checks = list(fairness(judged([0, 1, 0, 1, 0], "abcde", sex=sexes)))
    found = figures(checks, clean=[0, 1, 0, 0, 1])
    assert found["UAR: male less female"] == 0.5
    assert found["recall of angry: male less female"] == 1.0
    assert found["precision of calm: male less female"] == 0.5
    assert {check.group for check in checks} == {"fairness by sex"}


def test_fairness_of_three_groups_is_the_difference_to_all() -> None:
    pitches: list[str | None] = ["low", "middle", "high"] * 2
    checks = list(fairness(judged([0, 0, 0, 1, 1, 1], "abcabc", pitch=pitches)))
    found = figures(checks, clean=[0, 0, 0, 1, 0, 0])
    assert found["UAR: low less all"] == pytest.approx(1 - 2 / 3)
    assert found["UAR: middle less all"] == pytest.approx(0.5 - 2 / 3)


def test_one_group_is_not_compared_with_anything() -> None:
    assert not list(fairness(judged([0, 1], "ab", sex=["male", "male"])))


def test_thresholds_of_fairness_are_the_largest_difference_of_random_models_and_shrink_with_size() -> None:
    def threshold(clips: int) -> float:
        sexes: list[str | None] = ["male", "female"] * clips
        of = judged([0, 1, 2, 2, 1, 0] * (clips // 3), "ab" * clips, sex=sexes)
        return next(check.threshold for check in fairness(of) if check.name.startswith("UAR"))

    small, large = threshold(12), threshold(300)
    assert 0.05 < large < small <= 1
    assert threshold(12) == small  # seeded


def test_random_models_rarely_pass_where_predictions_must_not_change() -> None:
    of = judged([0, 1, 2] * 20, "abc" * 20)
    checks = [*correctness(of), *robustness(of, [CONDITIONS["tone"]])]
    answers = {"clean": of.labels[None], "tone": of.labels[None]}
    found = {one.name: one for one in outcomes(checks, answers, random_answers(of, ["tone"], 3, 200))}
    assert found["Tone of 5-7 kHz, 40-50 dB SNR: unchanged"].random == 0.0
    assert 0 < found["recall of calm"].random < 0.3
    assert all(one.passed for one in found.values())
