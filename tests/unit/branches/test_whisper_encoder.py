from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu

from lightning_emorec.branches import WhisperEncoder
from lightning_emorec.branches.layer_mix import LayerMix
from lightning_emorec.types import Batch, EmorecError

TASKS = {"emotion": ["angry", "calm", "sad"], "sex": ["female", "male"]}
DRAW = np.random.default_rng(0)
CLIPS = [(3 + 2 * DRAW.normal(size=(frames, 2, 6))).astype(np.float16) for frames in (40, 9, 1)]


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOREC_WHISPER", "tiny.en")


@pytest.fixture
def branch() -> WhisperEncoder:
    torch.manual_seed(0)
    made = WhisperEncoder(TASKS, width=5)
    made.learn_from_training({made.feature_key: CLIPS})
    return made.eval()


def batch_of(branch: WhisperEncoder, *clips: np.ndarray) -> Batch:
    rows: Tensor = cast(Tensor, branch.feature.collate(clips))
    nothing = torch.zeros(len(rows), 0)
    names = [str(row) for row in range(len(rows))]
    return Batch(names, torch.arange(len(rows)), nothing, nothing, {}, {branch.feature_key: rows})


def test_states_are_standardised_by_the_training_clips() -> None:
    mix = LayerMix(width=5)
    frames = np.random.default_rng(1).normal(size=(4000, 2, 6)) * [[[2.0]], [[3.0]]][0] + 7
    mix.learn([frames.astype(np.float16)])
    standard = mix.standardiser(torch.from_numpy(frames.reshape(4000, 12)).float())
    assert standard.mean(dim=0).abs().max() < 0.15
    assert (standard.std(dim=0) - 1).abs().max() < 0.1


def test_layers_are_averaged_with_a_softmax_of_learned_weights() -> None:
    mix = LayerMix(width=5)
    mix.learn(CLIPS)
    with torch.no_grad():
        mix.weights[0].copy_(torch.tensor([0.0, 3.0]).log1p())  # shares of 1 / 5 and 4 / 5
        states = torch.from_numpy(CLIPS[1]).float()[None]
        standard = mix.standardiser(states.flatten(2)).unflatten(2, (2, 6))
        by_hand = mix.projection(0.2 * standard[:, :, 0] + 0.8 * standard[:, :, 1])
        torch.testing.assert_close(mix(states), by_hand)


def test_what_is_pooled_are_a_clip_s_own_frames(branch: WhisperEncoder) -> None:
    with torch.no_grad():
        together = branch.embed(batch_of(branch, *CLIPS))
        for clip, row in zip(CLIPS, together, strict=True):
            states = gelu(branch.mix(torch.from_numpy(clip).float()[None])).transpose(1, 2)
            pooled = branch.norm(branch.pooling(states, torch.tensor([len(clip)])))
            torch.testing.assert_close(row, pooled[0], atol=1e-5, rtol=1e-4)


def test_noise_is_added_in_training_only(branch: WhisperEncoder) -> None:
    batch = batch_of(branch, *CLIPS)
    branch.dropout.p = 0.0
    torch.testing.assert_close(branch(batch)["emotion"], branch(batch)["emotion"])
    branch.train()
    assert not torch.equal(branch(batch)["emotion"], branch(batch)["emotion"])
    branch.noise = 0.0
    torch.testing.assert_close(branch(batch)["emotion"], branch(batch)["emotion"])


def test_a_trained_branch_loads_into_one_that_never_saw_the_data(branch: WhisperEncoder) -> None:
    with torch.no_grad():
        branch.mix.weights[0].normal_()
    again = WhisperEncoder(TASKS, width=5).eval()
    again.load_state_dict(branch.state_dict(), strict=True)
    batch = batch_of(branch, *CLIPS)
    torch.testing.assert_close(again(batch)["emotion"], branch(batch)["emotion"])


def test_the_features_are_those_of_the_arguments_and_of_their_defaults() -> None:
    assert WhisperEncoder.features_of({})[0].key == WhisperEncoder(TASKS).feature.key
    given: dict[str, Any] = {"whisper": "base.en", "margin_s": None, "layers": [2], "step": 1}
    assert WhisperEncoder.features_of(given)[0].key == WhisperEncoder(TASKS, **given).feature.key


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"width": 0}, "width of at least 1"),
        ({"dropout": 1.0}, "dropout in"),
        ({"noise": -0.1}, "noise of 0 or more"),
        ({"step": 0}, "step of at least 1"),
        ({"layers": [0]}, "layers counted from 1"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(EmorecError, match=complaint):
        WhisperEncoder(TASKS, **arguments)
