from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from lightning_emorec.branches.calibrated import decision_scores
from lightning_emorec.branches.kernel_machine import (
    Expansion,
    Kernel,
    KernelMachine,
    expansion,
    one_against_rest,
)

DRAW = np.random.default_rng(0)
TASKS = {"emotion": ["angry", "calm", "happy", "sad"], "sex": ["female", "male"]}
EMOTION = np.tile([0, 1, 3], 20)  # nobody is happy
SEX = np.repeat([0, 1], 30)
VALUES = (0.3 * DRAW.normal(size=(60, 6)) + np.eye(4, 6)[EMOTION] + np.eye(2, 6)[:, ::-1][SEX]).astype(
    np.float32
)
OTHERS = DRAW.normal(size=(30, 6)).astype(np.float32)


def fitted(labels: NDArray[Any], kernel: Kernel) -> Any:
    return one_against_rest(kernel, c=0.7, gamma=0.3).fit(VALUES, labels)


def learned(kernel: Kernel) -> KernelMachine:
    machine = KernelMachine(TASKS, 6, kernel, gamma=0.3)
    machine.learn(
        VALUES,
        {
            "emotion": expansion(fitted(EMOTION, kernel), len(VALUES), classes=4),
            "sex": expansion(fitted(SEX, kernel), len(VALUES), classes=2),
        },
    )
    return machine


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize(("task", "labels"), [("emotion", EMOTION), ("sex", SEX)])
def test_logits_are_scikit_learn_s_scores(kernel: Kernel, task: str, labels: NDArray[Any]) -> None:
    made = learned(kernel)(torch.from_numpy(OTHERS))[task]
    reference = decision_scores(fitted(labels, kernel), OTHERS, len(TASKS[task]))
    np.testing.assert_allclose(made.numpy(), reference, atol=1e-5)


def test_an_expansion_can_be_followed_by_a_linear_map() -> None:
    made = Expansion(np.array([[1.0, 2.0]]), np.array([3.0])).then(
        np.array([[10.0], [-1.0]]), np.array([1.0, 0.0])
    )
    assert made.weight.tolist() == [[10, 20], [-1, -2]]
    assert made.bias.tolist() == [31, -3]


def test_only_support_vectors_are_kept() -> None:
    used = {
        clip
        for labels in (EMOTION, SEX)
        for svc in fitted(labels, "rbf").estimators_
        for clip in svc.support_
    }
    machine = learned("rbf")
    np.testing.assert_array_equal(machine.vectors.weight.numpy(), VALUES[sorted(used)])
    assert len(used) < len(VALUES)


def test_a_linear_machine_keeps_one_direction_a_class() -> None:
    assert learned("linear").vectors.weight.shape == (6, 6)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_a_machine_reloads_nested_strictly_and_from_plain_weights(kernel: Kernel) -> None:
    machine = learned(kernel)
    memory = io.BytesIO()
    torch.save(nn.ModuleDict({"audio": machine}).state_dict(), memory)
    memory.seek(0)
    fresh = nn.ModuleDict({"audio": KernelMachine(TASKS, 6, kernel, gamma=0.3)})
    fresh.load_state_dict(torch.load(memory, weights_only=True), strict=True)
    values = torch.from_numpy(OTHERS)
    assert torch.equal(fresh["audio"](values)["emotion"], machine(values)["emotion"])


def test_nothing_in_it_is_trained_by_gradients() -> None:
    assert not any(weight.requires_grad for weight in learned("rbf").parameters())
