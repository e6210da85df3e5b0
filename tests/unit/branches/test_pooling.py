from __future__ import annotations

import torch
from torch import nn

from lightning_emorec.branches.pooling import AttentiveStatistics, frame_mask


def pooling(channels: int = 3) -> AttentiveStatistics:
    torch.manual_seed(0)
    return AttentiveStatistics(channels, hidden=4)


def test_a_mask_marks_the_frames_of_each_clip() -> None:
    assert frame_mask(torch.tensor([1, 3]), 3).tolist() == [[True, False, False], [True, True, True]]


def test_without_attention_the_plain_mean_and_deviation_come_out() -> None:
    pool = pooling(channels=1)
    last = pool.attention[-1]
    assert isinstance(last, nn.Conv1d)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)  # type: ignore[arg-type]
    pooled = pool(torch.tensor([[[1.0, 3.0, 5.0, 99.0]]]), torch.tensor([3]))
    torch.testing.assert_close(pooled, torch.tensor([[3.0, (8 / 3) ** 0.5]]))


def test_what_lies_in_the_padding_changes_nothing() -> None:
    pool, states, lengths = pooling(), torch.randn(2, 3, 9), torch.tensor([4, 9])
    littered = states.clone()
    littered[0, :, 4:] = 1e4
    torch.testing.assert_close(pool(littered, lengths), pool(states, lengths))
    torch.testing.assert_close(pool(states[:1, :, :4], lengths[:1]), pool(states, lengths)[:1])


def test_attention_can_single_out_a_frame() -> None:
    pool, states = pooling(channels=1), torch.tensor([[[0.0, 0.0, 5.0]]])
    with torch.no_grad():
        for weights in pool.parameters():
            weights.fill_(10.0)
        pool.attention[-1].weight.mul_(5)  # type: ignore[operator, union-attr]
        pool.attention[0].bias.fill_(-20.0)  # type: ignore[union-attr]
    pooled = pool(states, torch.tensor([3]))
    torch.testing.assert_close(pooled, torch.tensor([[5.0, 1e-5**0.5]]))


def test_one_frame_has_a_finite_slope() -> None:
    states = torch.randn(1, 3, 1, requires_grad=True)
    pooling()(states, torch.tensor([1])).sum().backward()
    assert states.grad is not None
    assert states.grad.isfinite().all()
