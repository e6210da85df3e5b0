from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_emorec.branches import readout as module
from lightning_emorec.branches.readout import Standardiser


def learned(rows: list[list[float]]) -> Standardiser:
    standardiser = Standardiser(len(rows[0]))
    standardiser.learn(np.array(rows, dtype=np.float32))
    return standardiser


def test_training_rows_have_mean_0_and_deviation_1() -> None:
    standardiser = learned([[1.0, 100.0], [3.0, 300.0]])
    assert standardiser(torch.tensor([[1.0, 100.0], [3.0, 300.0]])).tolist() == [[-1, -1], [1, 1]]
    assert standardiser(torch.tensor([[2.0, 250.0]])).tolist() == [[0, 0.5]]


def test_frames_of_a_batch_are_standardised_too() -> None:
    assert learned([[1.0], [3.0]])(torch.tensor([[[1.0], [2.0]], [[3.0], [5.0]]])).tolist() == [
        [[-1.0], [0.0]],
        [[1.0], [3.0]],
    ]


def test_outliers_are_limited_to_5_deviations() -> None:
    assert learned([[1.0], [3.0]])(torch.tensor([[1e9], [-1e9]])).tolist() == [[5], [-5]]


def test_a_number_that_is_always_the_same_is_only_shifted() -> None:
    assert learned([[7.5], [7.5], [7.5]])(torch.tensor([[7.5], [8.5]])).tolist() == [[0], [1]]


def test_large_and_small_numbers_keep_their_precision() -> None:
    rows = [[1e13, 1e-9], [3e13, 3e-9]]
    torch.testing.assert_close(learned(rows)(torch.tensor(rows)), torch.tensor([[-1.0, -1.0], [1.0, 1.0]]))


def test_clips_read_a_few_at_a_time_teach_what_all_at_once_do(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = [np.random.default_rng(clip).normal(3, 2, (clip + 1, 4)).astype(np.float32) for clip in range(10)]
    at_once, in_turn = Standardiser(4), Standardiser(4)
    at_once.learn(np.concatenate(clips))
    monkeypatch.setattr(module, "AT_ONCE", 3)
    in_turn.learn_from(iter(clips))
    torch.testing.assert_close(in_turn.state_dict(), at_once.state_dict())


def test_what_was_learned_travels_in_the_state() -> None:
    standardiser = learned([[1.0, 5.0], [3.0, 9.0]])
    again = Standardiser(2)
    again.load_state_dict(standardiser.state_dict())
    assert torch.equal(again(torch.ones(1, 2)), standardiser(torch.ones(1, 2)))
