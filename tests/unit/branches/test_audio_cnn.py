from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from lightning_emorec.branches.audio_cnn import AudioCnn
from lightning_emorec.branches.spectral import warp
from lightning_emorec.errors import EmorecError
from lightning_emorec.training_data import TrainingData
from lightning_emorec.types import UNLABELLED, Batch, Clip

TASKS = {"emotion": ["angry", "calm", "sad"], "sex": ["female", "male"]}


def built(**knobs: Any) -> AudioCnn:
    torch.manual_seed(0)
    return AudioCnn(TASKS, **{"width": 4, "stages": 3, **knobs})


def trained_a_little(**knobs: Any) -> AudioCnn:
    """A branch whose norms hold the statistics of some clips, in evaluation mode."""
    branch = built(**knobs).train()
    for _ in range(3):
        branch(batch_of(*(0.1 * torch.randn(samples) for samples in (9000, 16000, 4000))))
    return branch.eval()


def batch_of(*clips: Tensor, emotion: list[int] | None = None, sex: list[int] | None = None) -> Batch:
    return Batch(
        clip_ids=[str(number) for number in range(len(clips))],
        index=torch.arange(len(clips)),
        audio=pad_sequence(list(clips), batch_first=True),
        lengths=torch.tensor([len(clip) for clip in clips]),
        labels={
            "emotion": torch.tensor(emotion or [0] * len(clips)),
            "sex": torch.tensor(sex or [1] * len(clips)),
        },
    )


def noise(*samples: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [0.1 * torch.randn(count, generator=generator) for count in samples]


def test_every_task_has_its_logits() -> None:
    logits = built().eval()(batch_of(*noise(8000, 5000)))
    assert {task: tuple(rows.shape) for task, rows in logits.items()} == {"emotion": (2, 3), "sex": (2, 2)}


@pytest.mark.parametrize("samples", [800, 7999, 8000, 8192, 12345])
def test_longer_clips_in_the_batch_change_nothing(samples: int) -> None:
    branch = trained_a_little()
    clips = noise(samples, 20000, 33333)
    with torch.no_grad():
        alone, together = branch(batch_of(clips[0])), branch(batch_of(*clips))
    for task in TASKS:
        torch.testing.assert_close(together[task][:1], alone[task], atol=1e-4, rtol=0)


def test_clips_differ_in_their_logits() -> None:
    first, second = trained_a_little()(batch_of(*noise(8000, 8000)))["emotion"]
    assert not torch.allclose(first, second, atol=1e-3)


@pytest.mark.parametrize("clip", [torch.zeros(16000), torch.zeros(1), 0.1 * torch.ones(800)])
@pytest.mark.parametrize("training", [False, True])
def test_silence_and_very_short_clips_have_finite_logits_and_slopes(clip: Tensor, training: bool) -> None:
    branch = trained_a_little(mixup=0.3).train(training)
    loss = branch.training_loss(batch_of(clip))
    loss.backward()
    assert loss.isfinite()
    assert all(weights.grad is None or weights.grad.isfinite().all() for weights in branch.parameters())


def test_the_slope_reaches_every_weight() -> None:
    branch = built().train()
    branch.training_loss(batch_of(*noise(8000, 16000, 12000), emotion=[0, 1, 2], sex=[0, 1, 0])).backward()
    untouched = [
        name for name, weights in branch.named_parameters() if weights.grad is None or not weights.grad.any()
    ]
    assert untouched == []


def test_the_loss_is_the_weighted_sum_of_the_tasks() -> None:
    branch = built(loss_weights={"sex": 0.25}, label_smoothing=0.1, judge_warped=False).eval()
    batch = batch_of(*noise(8000, 9000), emotion=[2, 0], sex=[1, 0])
    logits = branch(batch)
    expected = cross_entropy(
        logits["emotion"], torch.tensor([2, 0]), label_smoothing=0.1
    ) + 0.25 * cross_entropy(logits["sex"], torch.tensor([1, 0]), label_smoothing=0.1)
    torch.testing.assert_close(branch.training_loss(batch), expected)


def test_a_clip_is_judged_by_the_mean_probabilities_of_its_warps() -> None:
    branch = trained_a_little(stretch=0.0, mel_scale=0.0, mel_shift=3.0)
    batch = batch_of(*noise(8000, 12000))
    with torch.no_grad():
        judged = branch(batch)["emotion"].exp()
        spectra, lengths = branch.log_mel(batch.audio, batch.lengths)
        shifts = [torch.full((2, 1), by) for by in (0.0, -2.0, 2.0)]
        views = [warp(spectra, lengths, torch.zeros(2, 1), torch.zeros(2, 1), shift) for shift in shifts]
        by_hand = torch.stack([branch._classify(*view)["emotion"].softmax(dim=1) for view in views])
    torch.testing.assert_close(judged, by_hand.mean(dim=0))
    assert not torch.allclose(judged, by_hand[0], atol=1e-4)


def test_validation_in_mid_training_spares_itself_the_warps() -> None:
    branch, plain = trained_a_little(), trained_a_little(judge_warped=False)
    batch = batch_of(*noise(8000))
    with torch.no_grad():
        branch.on_fit_start()
        torch.testing.assert_close(branch(batch), plain(batch))
        branch.on_fit_end()
        assert not torch.allclose(branch(batch)["emotion"].softmax(1), plain(batch)["emotion"].softmax(1))


def test_mixing_a_clip_with_itself_changes_nothing() -> None:
    batch = batch_of(noise(8000)[0], emotion=[2])
    mixed, plain = built(mixup=0.4).eval(), built().eval()
    torch.testing.assert_close(mixed.training_loss(batch), plain.training_loss(batch))


def test_mixing_needs_no_label_of_every_task() -> None:
    clips = noise(8000, 9000, 10000)
    batch = batch_of(*clips, emotion=[2, UNLABELLED, 0], sex=[UNLABELLED, UNLABELLED, UNLABELLED])
    branch = built(mixup=0.4).train()
    loss = branch.training_loss(batch)
    loss.backward()
    assert loss.isfinite()
    assert branch.heads["sex"].weight.grad is None or not branch.heads["sex"].weight.grad.any()


def test_mixing_draws_from_torchs_generator() -> None:
    branch, batch = built(mixup=0.4).train(), batch_of(*noise(8000, 9000, 10000), emotion=[0, 1, 2])
    losses = []
    for _ in range(2):
        torch.manual_seed(3)
        losses.append(branch.training_loss(batch).item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_it_learns_to_tell_two_tones_apart() -> None:
    branch = built().train()
    time = torch.arange(8000) / 16000
    low, high = (0.3 * torch.sin(2 * torch.pi * hertz * time) for hertz in (200, 2000))
    batch = batch_of(low, high, low[:6000], high[:6000], emotion=[0, 1, 0, 1], sex=[0, 1, 0, 1])
    optimizer = torch.optim.AdamW(branch.parameters(), lr=1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        branch.training_loss(batch).backward()
        optimizer.step()
    unheard = batch_of(
        0.3 * torch.sin(2 * torch.pi * 220 * time), 0.3 * torch.sin(2 * torch.pi * 1900 * time)
    )
    assert branch.eval()(unheard)["emotion"].argmax(dim=1).tolist() == [0, 1]


def test_a_reloaded_state_gives_the_same_logits() -> None:
    branch, again = trained_a_little(), built().eval()
    again.load_state_dict(branch.state_dict())
    batch = batch_of(*noise(8000, 5000))
    torch.testing.assert_close(again(batch)["emotion"], branch(batch)["emotion"], atol=0, rtol=0)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"dropout": 1.0}, r"dropout in \[0, 1\)"),
        ({"stretch": 1.5}, r"stretch in \[0, 1\)"),
        ({"mels": 4}, "mels of at least 8"),
        ({"width": 0}, "width above 0"),
        ({"hop_s": 0.0}, "hop_s above 0"),
        ({"mixup": -0.1}, "mixup of at least 0"),
    ],
)
def test_an_argument_out_of_range_is_refused(knobs: dict[str, float], message: str) -> None:
    with pytest.raises(EmorecError, match=message):
        built(**knobs)


def test_an_adversary_adds_the_loss_of_guessing_the_actor() -> None:
    branch, plain = (built(adversary=weight, dropout=0.0).eval() for weight in (0.5, 0.0))
    plain.load_state_dict({k: v for k, v in branch.state_dict().items() if not k.startswith("adversary")})
    actors = ["3", "7"]
    clips = [Clip(actor, actor, None) for actor in actors]
    branch.learn_from_training(TrainingData(clips, branch.tasks))
    batch = replace(batch_of(*noise(8000, 9000)), actors=actors)
    assert branch.adversary is not None
    expected = plain.training_loss(batch) + 0.5 * branch.adversary.loss(branch.embed(batch), actors)
    torch.testing.assert_close(branch.training_loss(batch), expected)
