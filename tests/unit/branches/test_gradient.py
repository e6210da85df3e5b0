from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lightning_emorec.branches import GradientBranch
from lightning_emorec.branches.gradient import _rate
from lightning_emorec.errors import EmorecError
from lightning_emorec.types import UNLABELLED, Batch, Logits

TASKS = {"emotion": ["calm", "angry", "sad"], "sex": ["female", "male"]}


class Linear(GradientBranch):
    """Its logits are its weights."""

    def __init__(self, **knobs: Any) -> None:
        super().__init__(TASKS, **{"label_smoothing": 0.0, "lr": 0.1, **knobs})
        self.heads = nn.ParameterDict({task: torch.zeros(len(classes)) for task, classes in TASKS.items()})

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        return {"index": batch.index}

    def net(self, index: Tensor) -> Logits:
        return {task: head.expand(len(index), -1) for task, head in self.heads.items()}


def logits() -> Logits:
    generator = torch.Generator().manual_seed(0)
    return {task: torch.randn(4, len(classes), generator=generator) for task, classes in TASKS.items()}


def labels(sex: list[int]) -> dict[str, Tensor]:
    return {"emotion": torch.tensor([0, 1, 2, 1]), "sex": torch.tensor(sex)}


def test_the_loss_is_the_weighted_sum_over_tasks() -> None:
    made, right = logits(), labels([0, 1, 1, 0])
    expected = cross_entropy(made["emotion"], right["emotion"]) + 0.5 * cross_entropy(
        made["sex"], right["sex"]
    )
    torch.testing.assert_close(Linear(loss_weights={"sex": 0.5}).loss(made, right), expected)


def test_unlabelled_clips_count_nothing() -> None:
    made, right = logits(), labels([0, UNLABELLED, UNLABELLED, 1])
    kept = torch.tensor([0, 3])
    expected = cross_entropy(made["emotion"], right["emotion"]) + cross_entropy(
        made["sex"][kept], right["sex"][kept]
    )
    torch.testing.assert_close(Linear().loss(made, right), expected)


def test_a_task_without_any_label_leaves_a_finite_loss() -> None:
    made, right = logits(), labels([UNLABELLED] * 4)
    torch.testing.assert_close(Linear().loss(made, right), cross_entropy(made["emotion"], right["emotion"]))


def test_the_rate_rises_linearly_and_falls_along_a_cosine() -> None:
    rates = [_rate(step, warmup=4, steps=24) for step in range(25)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[14] == pytest.approx(0.5 * (1 + math.cos(math.pi / 2)))
    assert rates[24] == pytest.approx(0, abs=1e-12)


def test_a_loss_that_is_not_finite_names_the_clips() -> None:
    branch = Linear()
    with torch.no_grad():
        branch.heads["emotion"].fill_(math.nan)
    batch = Batch(["a", "b"], torch.arange(2), torch.zeros(2, 1), torch.ones(2), labels([0, 1]))
    batch.labels = {task: rows[:2] for task, rows in batch.labels.items()}
    with pytest.raises(EmorecError, match="a finite loss; found nan in epoch 0 on clips a, b"):
        branch.training_step(batch, 0)


def test_the_weight_of_a_task_that_is_not_there_changes_nothing() -> None:
    made, right = logits(), labels([0, 1, 1, 0])
    torch.testing.assert_close(
        Linear(loss_weights={"age": 9.0}).loss(made, right), Linear().loss(made, right)
    )


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"label_smoothing": 1.0}, r"label_smoothing in \[0, 1\)"),
        ({"lr": 0.0}, "lr above 0"),
    ],
)
def test_arguments_out_of_range_are_refused(knobs: dict[str, Any], said: str) -> None:
    with pytest.raises(EmorecError, match=said):
        Linear(**knobs)
