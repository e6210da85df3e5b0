from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_emorec.branches.functionals import FunctionalsMlp
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import LibrosaStatistics, OpenSmileFunctionals
from lightning_emorec.types import Batch
from tests.unit.branches.training import training_of

TASKS = {"emotion": ["angry", "calm", "sad"], "sex": ["female", "male"]}


def built(**arguments: Any) -> FunctionalsMlp:
    torch.manual_seed(0)
    return FunctionalsMlp(TASKS, **{"functionals": "librosa", "hidden": 16, **arguments}).eval()


def batch_of(branch: FunctionalsMlp, values: Tensor, **labels: Tensor) -> Batch:
    clips = len(values)
    return Batch(
        [str(clip) for clip in range(clips)],
        torch.arange(clips),
        torch.zeros(clips, 1),
        torch.zeros(clips, dtype=torch.long),
        labels,
        {branch.feature_keys[0]: values},
    )


def test_every_task_has_its_logits() -> None:
    branch = built()
    made = branch(batch_of(branch, torch.randn(4, 386)))
    assert {task: tuple(rows.shape) for task, rows in made.items()} == {"emotion": (4, 3), "sex": (4, 2)}


def test_a_batch_of_one_clip_can_be_trained_on() -> None:
    branch = built().train()
    batch = batch_of(branch, torch.randn(1, 386), emotion=torch.tensor([1]), sex=torch.tensor([0]))
    branch.training_loss(batch).backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in branch.parameters())


def test_units_do_not_matter_once_the_training_clips_are_known() -> None:
    values = np.random.default_rng(0).normal(size=(20, 386)).astype(np.float32)
    scale = np.logspace(-6, 6, 386, dtype=np.float32)
    made = []
    for clips in (values, values * scale + scale):
        branch = built()
        branch.learn_from_training(training_of(branch, list(clips)))
        made.append(branch(batch_of(branch, torch.from_numpy(clips)))["emotion"])
    torch.testing.assert_close(made[0], made[1], atol=1e-4, rtol=1e-4)


def test_dropout_is_for_training_only() -> None:
    branch = built(input_dropout=0.5, dropout=0.5)
    batch = batch_of(branch, torch.randn(4, 386))
    assert torch.equal(branch(batch)["sex"], branch(batch)["sex"])
    branch.train()
    assert not torch.equal(branch(batch)["sex"], branch(batch)["sex"])


def test_the_feature_follows_from_the_arguments() -> None:
    (default,) = FunctionalsMlp.features_of({})
    assert isinstance(default, OpenSmileFunctionals)
    assert default.feature_set == "eGeMAPSv02"
    (compare,) = FunctionalsMlp.features_of({"functionals": "ComParE_2016"})
    assert isinstance(compare, OpenSmileFunctionals)
    assert compare.size == 6373
    (librosa,) = FunctionalsMlp.features_of({"functionals": "librosa"})
    assert isinstance(librosa, LibrosaStatistics)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"hidden": 0}, "hidden of at least 1"),
        ({"layers": 0}, "layers of at least 1"),
        ({"dropout": 1.0}, r"dropout in \[0, 1\); found 1.0"),
        ({"input_dropout": -0.1}, r"input_dropout in \[0, 1\)"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(EmorecError, match=complaint):
        built(**arguments)
