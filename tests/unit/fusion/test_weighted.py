from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lightning_emorec.errors import EmorecError
from lightning_emorec.fusion import Weighted

LABELS = torch.tensor([0, 0, 0, 1, 1])  # always guessing class 0 scores 0.6


def predicting(*branches: list[int]) -> Tensor:
    return torch.stack([3 * torch.eye(2)[classes] for classes in branches])  # (branches, clips, classes)


def test_given_weights_weigh_probabilities() -> None:
    logits = torch.tensor([[[0.9, 0.1]], [[0.1, 0.9]]]).log()
    rule = Weighted([3, 1])
    rule.fit(logits, torch.tensor([0]))
    torch.testing.assert_close(rule(logits).exp(), torch.tensor([[0.7, 0.3]]))
    assert rule.shares == [0.75, 0.25]


def test_a_weight_of_zero_drops_a_branch() -> None:
    logits = torch.randn(2, 6, 4)
    rule = Weighted([0, 2])
    rule.fit(logits, torch.arange(6) % 4)
    torch.testing.assert_close(rule(logits), logits[1].log_softmax(dim=-1))


def test_without_weights_a_branch_weighs_its_accuracy_above_chance() -> None:
    # Accuracies 1.0 and 0.8 against 0.6: margins 0.4 and 0.2.
    rule = Weighted()
    rule.fit(predicting([0, 0, 0, 1, 1], [0, 0, 0, 0, 1]), LABELS)
    assert rule.shares == pytest.approx([2 / 3, 1 / 3])


def test_a_branch_that_always_guesses_the_most_frequent_class_weighs_nothing() -> None:
    rule = Weighted()
    rule.fit(predicting([0, 0, 0, 0, 0], [0, 0, 0, 1, 1]), LABELS)
    assert rule.shares == [0, 1]


def test_all_weigh_the_same_if_none_is_above_chance() -> None:
    rule = Weighted()
    rule.fit(predicting([0, 0, 0, 0, 0], [1, 1, 1, 0, 0]), LABELS)
    assert rule.shares == [0.5, 0.5]


def test_weights_can_be_fitted_again() -> None:
    rule = Weighted()
    rule.fit(predicting([0, 0, 0, 0, 0], [0, 0, 0, 1, 1]), LABELS)
    rule.fit(predicting([0, 0, 0, 1, 1], [0, 0, 0, 0, 0]), LABELS)
    assert rule.shares == [1, 0]


def test_the_wrong_number_of_weights_is_refused() -> None:
    with pytest.raises(EmorecError, match="one weight a branch; found 3 weights for 2 branches"):
        Weighted([1, 1, 1]).fit(torch.zeros(2, 5, 2), LABELS)


@pytest.mark.parametrize("weights", [[1.0, -0.5], [0.0, 0.0], [1.0, math.nan], [1.0, math.inf], []])
def test_impossible_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(EmorecError, match="finite fusion weights >= 0"):
        Weighted(weights)


def test_given_weights_need_no_second_class() -> None:
    rule = Weighted([1, 1])
    rule.fit(torch.zeros(2, 3, 2), torch.zeros(3, dtype=torch.int64))
    assert rule.shares == [0.5, 0.5]
