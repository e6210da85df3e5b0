from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from torch.nn.functional import gelu

from lightning_emorec.branches import WhisperEncoder
from lightning_emorec.branches.readout import LayerMix
from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Batch
from tests.unit.branches.training import training_of

TASKS = {"emotion": ["angry", "calm", "sad"], "sex": ["female", "male"]}
DRAW = np.random.default_rng(0)
CLIPS = [(3 + 2 * DRAW.normal(size=(frames, 2, 6))).astype(np.float16) for frames in (40, 9, 1)]


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOREC_WHISPER", "tiny.en")


def made(**arguments: Any) -> WhisperEncoder:
    torch.manual_seed(0)
    branch = WhisperEncoder(TASKS, width=5, **arguments)
    branch.learn_from_training(training_of(branch, CLIPS))
    return branch.eval()


@pytest.fixture
def branch() -> WhisperEncoder:
    return made(views=1)


def batch_of(branch: WhisperEncoder, *clips: np.ndarray) -> Batch:
    """Each view of a clip is the clip times its number, and a frame longer than the one before."""
    views = [
        [np.concatenate([clip, *[clip[:1]] * number]) * (1 + number) for clip in clips]
        for number in range(len(branch.feature_keys))
    ]
    rows = {feature.key: feature.collate(view) for feature, view in zip(branch.features, views, strict=True)}
    nothing = torch.zeros(len(clips), 0)
    labels = {task: torch.zeros(len(clips), dtype=torch.long) for task in TASKS}
    names = [str(row) for row in range(len(clips))]
    return Batch(names, torch.arange(len(clips)), nothing, nothing, labels, cast(dict[str, Any], rows))


def test_states_are_standardised_by_the_training_clips() -> None:
    mix = LayerMix(width=5)
    frames = np.random.default_rng(1).normal(size=(4000, 2, 6)) * [[[2.0]], [[3.0]]][0] + 7
    mix.learn([frames.astype(np.float16)])
    standard = mix.standardiser(torch.from_numpy(frames.reshape(4000, 12)).float())
    assert standard.mean(dim=0).abs().max() < 0.15
    assert (standard.std(dim=0) - 1).abs().max() < 0.1


def test_every_layer_has_weights_of_its_own() -> None:
    mix = LayerMix(width=5)
    mix.learn(CLIPS)
    states = torch.from_numpy(CLIPS[1]).float()[None]
    with torch.no_grad():
        standard = mix.standardiser(states.flatten(2)).unflatten(2, (2, 6))
        first, second = mix.projection.weight.unflatten(1, (2, 6)).unbind(dim=1)
        by_hand = standard[:, :, 0] @ first.T + standard[:, :, 1] @ second.T + mix.projection.bias
    torch.testing.assert_close(mix(states), by_hand)


def test_what_is_pooled_are_a_clip_s_own_frames(branch: WhisperEncoder) -> None:
    with torch.no_grad():
        together = branch.embed(batch_of(branch, *CLIPS))
        for clip, row in zip(CLIPS, together, strict=True):
            states = gelu(branch.mix(torch.from_numpy(clip).float()[None])).transpose(1, 2)
            pooled = branch.norm(branch.pooling(states, torch.tensor([len(clip)])))
            torch.testing.assert_close(row, pooled[0], atol=1e-5, rtol=1e-4)


def test_a_clip_is_judged_by_the_mean_log_probabilities_of_its_views() -> None:
    branch = made(views=3)
    batch = batch_of(branch, *CLIPS)
    with torch.no_grad():
        judged = branch(batch)["emotion"]
        each = []
        for key in branch.feature_keys:
            alone = made(views=1)
            alone.load_state_dict(branch.state_dict())
            one = Batch(**{**vars(batch), "features": {alone.feature_keys[0]: batch.features[key]}})
            each.append(alone(one)["emotion"].log_softmax(dim=1))
    torch.testing.assert_close(judged, torch.stack(each).mean(dim=0))


def test_training_takes_one_view_of_each_clip_drawn_anew() -> None:
    branch = made(views=3, mixup=0.0, noise=0.0, dropout=0.0, label_smoothing=0.0)
    clip = batch_of(branch, CLIPS[0])
    with torch.no_grad():
        drawn = {round(float(branch.training_loss(clip)), 5) for _ in range(40)}
        views = [branch.net(view=view) for view in branch.inputs(clip).values()]
        expected = {round(float(branch.loss(logits, clip.labels)), 5) for logits in views}
    assert drawn == expected


def test_mixing_a_clip_with_itself_changes_nothing() -> None:
    mixed, plain = (made(views=1, mixup=mixup, noise=0.0, dropout=0.0) for mixup in (0.4, 0.0))
    batch = batch_of(plain, CLIPS[0])
    torch.testing.assert_close(mixed.training_loss(batch), plain.training_loss(batch))


def test_noise_is_added_in_training_only(branch: WhisperEncoder) -> None:
    batch = batch_of(branch, *CLIPS)
    branch.dropout.p = 0.0
    torch.testing.assert_close(branch(batch)["emotion"], branch(batch)["emotion"])
    branch.train()
    assert not torch.equal(branch(batch)["emotion"], branch(batch)["emotion"])
    branch.noise = 0.0
    torch.testing.assert_close(branch(batch)["emotion"], branch(batch)["emotion"])


def test_a_trained_branch_loads_into_one_that_never_saw_the_data(branch: WhisperEncoder) -> None:
    again = WhisperEncoder(TASKS, width=5, views=1).eval()
    again.load_state_dict(branch.state_dict(), strict=True)
    batch = batch_of(branch, *CLIPS)
    torch.testing.assert_close(again(batch)["emotion"], branch(batch)["emotion"])


def test_the_features_are_those_of_the_arguments_and_of_their_defaults() -> None:
    assert [feature.key for feature in WhisperEncoder.features_of({})] == WhisperEncoder(TASKS).feature_keys
    given: dict[str, Any] = {"whisper": "base.en", "margin_s": None, "layers": [2], "step": 1, "views": 3}
    keys = [feature.key for feature in WhisperEncoder.features_of(given)]
    assert keys == WhisperEncoder(TASKS, **given).feature_keys
    assert len(set(keys)) == 3


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"width": 0}, "width of at least 1"),
        ({"dropout": 1.0}, "dropout in"),
        ({"noise": -0.1}, "noise of at least 0"),
        ({"step": 0}, "step of at least 1"),
        ({"layers": [0]}, "layers counted from 1"),
        ({"views": 0}, "views of at least 1"),
        ({"mixup": -0.1}, "mixup of at least 0"),
        ({"trim_db": 0.0}, "a positive trim_db"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(EmorecError, match=complaint):
        WhisperEncoder(TASKS, **arguments)
