"""What the two encoders over descriptors have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_emorec.branches.descriptors import DescriptorsBranch, DescriptorsCnn, DescriptorsLstm
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import OpenSmileDescriptors
from lightning_emorec.types import Batch
from tests.unit.branches.training import training_of

TASKS = {"emotion": ["angry", "calm", "sad"], "sex": ["female", "male"]}
FEATURE = OpenSmileDescriptors()
SMALL: dict[type[DescriptorsBranch], dict[str, Any]] = {
    DescriptorsCnn: {"width": 8, "blocks": 3},
    DescriptorsLstm: {"hidden": 4, "layers": 2},
}

Kind = type[DescriptorsBranch]


@pytest.fixture(params=SMALL, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


def built(kind: Kind, **arguments: Any) -> DescriptorsBranch:
    torch.manual_seed(0)
    return kind(TASKS, **SMALL[kind], **arguments).eval()


def clip(frames: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(frames).normal(size=(frames, 25)).astype(np.float32)


def batch_of(*values: Any, **labels: Tensor) -> Batch:
    clips = len(values)
    return Batch(
        [str(number) for number in range(clips)],
        torch.arange(clips),
        torch.zeros(clips, 1),
        torch.zeros(clips, dtype=torch.long),
        labels,
        {FEATURE.key: FEATURE.collate(values)},
    )


def test_every_task_has_its_logits(kind: Kind) -> None:
    made = built(kind)(batch_of(clip(5), clip(9)))
    assert {task: tuple(rows.shape) for task, rows in made.items()} == {"emotion": (2, 3), "sex": (2, 2)}


def test_longer_clips_in_the_batch_change_nothing(kind: Kind) -> None:
    branch = built(kind)
    branch.standardiser.learn(3 + 2 * clip(100))  # so that padding is not what zeros are standardised to
    with torch.no_grad():  # as after training: a norm's bias is 0 before
        for parameter in branch.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    clips = [clip(40), clip(1), clip(7)]
    together = branch(batch_of(*clips))["emotion"]
    alone = torch.cat([branch(batch_of(one))["emotion"] for one in clips])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_the_order_of_frames_matters(kind: Kind) -> None:
    branch = built(kind)
    frames = clip(20)
    assert not torch.allclose(*branch(batch_of(frames, frames[::-1].copy()))["emotion"])


def test_longer_clips_are_cut(kind: Kind) -> None:
    branch = built(kind, max_frames=10)
    made = branch(batch_of(clip(30), clip(30)[:10]))["emotion"]
    torch.testing.assert_close(made[0], made[1], atol=1e-6, rtol=0)
    assert not torch.allclose(branch(batch_of(clip(30)[:8]))["emotion"], made[0])


def test_with_a_step_of_two_every_other_frame_is_read(kind: Kind) -> None:
    branch = built(kind, step=2)
    changed = clip(30)
    changed[1::2] += 1
    torch.testing.assert_close(branch(batch_of(clip(30)))["emotion"], branch(batch_of(changed))["emotion"])


def test_a_clip_without_any_frame_has_finite_logits(kind: Kind) -> None:
    batch = batch_of(clip(3))
    batch.features = {FEATURE.key: torch.zeros(1, 3, 26)}
    assert built(kind)(batch)["emotion"].isfinite().all()


def test_the_gradient_reaches_every_weight_from_a_batch_of_one(kind: Kind) -> None:
    branch = built(kind).train()
    batch = batch_of(clip(12), emotion=torch.tensor([1]), sex=torch.tensor([0]))
    branch.training_loss(batch).backward()
    silent = [
        name for name, weight in branch.named_parameters() if weight.grad is None or not weight.grad.any()
    ]
    # A softmax does not see what is added to all of its inputs.
    assert silent == ["pooling.attention.2.bias"] or not silent


def test_descriptors_are_standardised_over_the_frames_of_all_training_clips(kind: Kind) -> None:
    branch = built(kind)
    clips = [clip(5), clip(50) + 10]
    branch.learn_from_training(training_of(branch, clips))
    torch.testing.assert_close(
        branch.standardiser.mean, torch.from_numpy(np.concatenate(clips).mean(axis=0)), atol=1e-5, rtol=1e-5
    )


def test_noise_is_for_training_only(kind: Kind) -> None:
    branch = built(kind, noise=1.0, dropout=0.0)
    batch = batch_of(clip(12))
    quiet = branch(batch)["sex"]
    assert torch.equal(branch(batch)["sex"], quiet)
    assert not torch.equal(branch.train()(batch)["sex"], quiet)


def test_a_branch_learns_when_something_happens(kind: Kind) -> None:
    """Clips have the same frames; what differs is whether the loud ones come early."""
    branch = built(kind, noise=0.0, dropout=0.0).train()
    loud, soft = np.ones((8, 25), dtype=np.float32), -np.ones((8, 25), dtype=np.float32)
    early, late = np.concatenate([loud, soft]), np.concatenate([soft, loud])
    batch = batch_of(early, late, emotion=torch.tensor([0, 1]), sex=torch.tensor([0, 1]))
    optimizer = torch.optim.Adam(branch.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        branch.training_loss(batch).backward()
        optimizer.step()
    assert branch.eval()(batch)["sex"].argmax(dim=1).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"dropout": 1.0}, r"dropout in \[0, 1\); found 1.0"),
        ({"noise": -1.0}, "noise of at least 0"),
        ({"max_frames": 0}, "max_frames of at least 1"),
    ],
)
def test_arguments_out_of_range_are_refused(kind: Kind, arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(EmorecError, match=complaint):
        built(kind, **arguments)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"width": 0}, "width of at least 1"),
        ({"blocks": 0}, "blocks of at least 1"),
        ({"kernel": 0}, "kernel of at least 1"),
        ({"kernel": 4}, "an odd kernel; found 4"),
    ],
)
def test_a_convolution_s_arguments_out_of_range_are_refused(
    arguments: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(EmorecError, match=complaint):
        DescriptorsCnn(TASKS, **arguments)


@pytest.mark.parametrize("knob", ["hidden", "layers"])
def test_an_lstm_of_nothing_is_refused(knob: str) -> None:
    with pytest.raises(EmorecError, match=f"{knob} of at least 1"):
        DescriptorsLstm(TASKS, **{knob: 0})
