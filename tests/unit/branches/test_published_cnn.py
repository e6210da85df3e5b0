from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from lightning_emorec.branches.published_cnn import LoneBatchNorm, PublishedCnn, RelativeDecibels
from lightning_emorec.corpora import ManifestCorpus
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.errors import EmorecError
from lightning_emorec.splits import ActorLists
from lightning_emorec.types import Batch

TASKS = {"emotion": ["angry", "calm", "sad"], "sex": ["female", "male"]}
SMALL = {"rate_hz": 8000, "duration_s": 0.5, "mels": 16, "window": 256, "hop": 128}


def built(**knobs: Any) -> PublishedCnn:
    torch.manual_seed(0)
    return PublishedCnn(TASKS, **{**SMALL, **knobs})


def batch_of(*clips: Tensor) -> Batch:
    return Batch(
        clip_ids=[str(number) for number in range(len(clips))],
        index=torch.arange(len(clips)),
        audio=pad_sequence(list(clips), batch_first=True),
        lengths=torch.tensor([len(clip) for clip in clips]),
        labels={"emotion": torch.arange(len(clips)) % 3, "sex": torch.arange(len(clips)) % 2},
    )


def noise(*samples: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [0.1 * torch.randn(count, generator=generator) for count in samples]


def test_the_image_is_the_one_that_librosa_makes() -> None:
    librosa = pytest.importorskip("librosa")
    front_end = RelativeDecibels(22050, 3.5, 128, 2048, 512)
    clip = noise(40000)[0] * torch.linspace(1, 1e-5, 40000)
    filled = np.pad(clip.numpy(), (0, front_end.samples - 40000))
    power = librosa.feature.melspectrogram(y=filled, sr=22050, n_fft=2048, hop_length=512, n_mels=128)
    expected = librosa.power_to_db(power, ref=np.max)
    made = front_end.decibels(clip[None])[0]
    assert made.shape == (128, 151) == (128, front_end.frames)
    np.testing.assert_allclose(made.numpy(), expected, atol=1e-2)


def test_the_training_clips_are_standardised_by_one_mean_and_one_deviation() -> None:
    front_end = RelativeDecibels(**SMALL)
    clips = noise(4000, 3000, 4000)
    front_end.learn(iter(clips))
    images = torch.cat([front_end(clip[None]) for clip in clips])
    assert float(images.mean()) == pytest.approx(0, abs=1e-4)
    assert float(images.std(correction=0)) == pytest.approx(1, abs=1e-4)


def test_what_follows_the_end_of_the_image_is_not_heard() -> None:
    branch = built().eval()
    clip = noise(6000)[0]
    heard, cut = branch(batch_of(clip)), branch(batch_of(clip[:4000]))
    torch.testing.assert_close(heard["emotion"], cut["emotion"])


@pytest.mark.parametrize("larger", [False, True])
def test_other_clips_in_the_batch_change_nothing(larger: bool) -> None:
    branch = built(larger=larger)
    for _ in range(3):
        branch(batch_of(*noise(4000, 3000, 2000)))
    branch.eval()
    clips = noise(1500, 4000, 9000)
    alone, together = branch(batch_of(clips[0])), branch(batch_of(*clips))
    torch.testing.assert_close(together["sex"][:1], alone["sex"], atol=1e-5, rtol=0)


def test_the_networks_have_the_published_sizes() -> None:
    # Counted by hand; the first one also had a bias in each convolution, 240 in all.
    tasks = {"emotion": [str(number) for number in range(8)]}
    for larger, weights in ((False, 106_408 - 240), (True, 891_176)):
        branch = PublishedCnn(tasks, larger=larger)
        assert sum(weight.numel() for weight in branch.parameters()) == weights


@pytest.mark.parametrize("larger", [False, True])
@pytest.mark.parametrize("clip", [torch.zeros(4000), torch.zeros(1), noise(4000)[0]])
def test_a_training_batch_of_one_clip_silent_or_not_has_a_finite_loss(larger: bool, clip: Tensor) -> None:
    branch = built(larger=larger).train()
    loss = branch.training_loss(batch_of(clip))
    loss.backward()
    assert loss.isfinite()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in branch.parameters())


def test_a_lone_clip_is_normalised_by_what_is_remembered() -> None:
    norm = LoneBatchNorm(3)
    norm(torch.randn(64, 3) * 2 + 1)
    clip = torch.randn(1, 3)
    torch.testing.assert_close(norm(clip), norm.eval()(clip))


def test_masks_are_laid_in_training_only() -> None:
    branch = built(freq_mels=12, time_frames=18)
    branch.body = nn.Identity()  # type: ignore[assignment]
    branch.front_end.learn(noise(4000))
    batch = batch_of(*noise(4000, 4000, 4000, 4000))
    assert (branch.train().embed(batch) == 0).any()
    assert not (branch.eval().embed(batch) == 0).any()


def test_the_optimiser_and_its_schedule_are_the_published_ones() -> None:
    for larger, kind in ((False, torch.optim.Adam), (True, torch.optim.AdamW)):
        branch = built(larger=larger, lr=7e-4, weight_decay=2e-4, plateau_patience=5)
        branch.trainer = Trainer(accelerator="cpu", logger=False, check_val_every_n_epoch=2)
        made = branch.configure_optimizers()
        optimizer, schedule = made["optimizer"], made["lr_scheduler"]  # type: ignore[index,call-overload]
        assert type(optimizer) is kind
        assert (optimizer.defaults["lr"], optimizer.defaults["weight_decay"]) == (7e-4, 2e-4)
        assert (schedule["scheduler"].factor, schedule["scheduler"].patience) == (0.5, 5)
        assert (schedule["monitor"], schedule["frequency"]) == ("val/emotion/nll", 2)


def test_a_fit_measures_the_training_images_and_halves_the_rate_on_a_plateau(
    tones: Path, tmp_path: Path
) -> None:
    tasks = {"pitch": ["low", "middle", "high"]}
    corpus = ManifestCorpus(str(tones), tasks=tasks)
    data = EmotionDataModule(corpus, ActorLists(test=[6], val=[5]), rate_hz=8000, batch_size=12)
    branch = PublishedCnn(tasks, **SMALL, lr=0.1, plateau_patience=0)  # type: ignore[arg-type]
    trainer = Trainer(
        max_epochs=6,
        accelerator="cpu",
        logger=False,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(branch, datamodule=data)
    assert -80 < float(branch.front_end.mean) < 0
    assert float(branch.front_end.deviation) > 1
    assert trainer.optimizers[0].param_groups[0]["lr"] < 0.1


def test_an_image_too_small_for_the_network_is_refused() -> None:
    with pytest.raises(EmorecError, match=r"at least 16 mels and frames; found 16 mels and 7 frames"):
        built(duration_s=0.1)
