from __future__ import annotations

import math

import pytest
import torch

from lightning_emorec.fusion import Average


def test_probabilities_are_averaged() -> None:
    logits = torch.tensor([[[0.9, 0.1]], [[0.3, 0.7]]]).log()  # (branches, clips, classes)
    rule = Average()
    rule.fit(logits, torch.tensor([0]))
    torch.testing.assert_close(rule(logits).exp(), torch.tensor([[0.6, 0.4]]))


def test_each_branch_has_the_same_share() -> None:
    rule = Average()
    rule.fit(torch.zeros(4, 3, 2), torch.tensor([0, 1, 0]))
    assert rule.shares == [0.25] * 4


def test_certainty_does_not_underflow() -> None:
    logits = torch.tensor([[[80.0, 0.0]], [[80.0, 0.0]]])
    rule = Average()
    rule.fit(logits, torch.tensor([0]))
    assert rule(logits)[0, 1].item() == pytest.approx(-80)


def test_one_sure_branch_leaves_half_to_the_other() -> None:
    logits = torch.tensor([[[500.0, 0.0]], [[0.0, 500.0]]])
    rule = Average()
    rule.fit(logits, torch.tensor([0]))
    torch.testing.assert_close(rule(logits), torch.full((1, 2), math.log(0.5)))
