from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lightning_emorec.branches.spectral import LogMel

RATE_HZ = 16000


def log_mel(mels: int = 40, floor_db: float = -80.0) -> LogMel:
    return LogMel(RATE_HZ, mels, window_s=0.05, hop_s=0.016, floor_db=floor_db)


def tone(hertz: float, seconds: float, peak: float = 0.5) -> Tensor:
    return peak * torch.sin(2 * math.pi * hertz * torch.arange(round(seconds * RATE_HZ)) / RATE_HZ)


def spectra_of(front: LogMel, *clips: Tensor) -> tuple[Tensor, Tensor]:
    return front(pad_sequence(list(clips), batch_first=True), torch.tensor([len(clip) for clip in clips]))


def test_frames_lie_a_hop_apart_from_the_first_sample_to_the_last() -> None:
    spectra, frames = spectra_of(log_mel().eval(), torch.randn(1023), torch.randn(1024))
    assert frames.tolist() == [1 + 1023 // 256, 1 + 1024 // 256]
    assert spectra.shape == (2, 40, 5)


def test_a_higher_tone_lies_in_a_higher_mel() -> None:
    spectra, _ = spectra_of(log_mel().eval(), tone(300, 0.5), tone(1200, 0.5), tone(5000, 0.5))
    loudest = spectra[:, :, 15].argmax(dim=1).tolist()
    assert loudest == sorted(set(loudest))


def test_twice_the_amplitude_is_six_decibels_more() -> None:
    front = log_mel().eval()
    quiet, _ = spectra_of(front, tone(1000, 0.5, peak=0.4))
    loud, _ = spectra_of(front, tone(1000, 0.5, peak=0.8))
    assert (loud - quiet)[0, :, 15].max().item() == pytest.approx(math.log(4), abs=1e-3)


@pytest.mark.parametrize("samples", [1, 800, 5000, 5120])
def test_a_longer_clip_in_the_batch_changes_no_frame(samples: int) -> None:
    front = log_mel().eval()
    clip = torch.randn(samples)
    alone, _ = spectra_of(front, clip)
    together, frames = spectra_of(front, clip, torch.randn(20000))
    torch.testing.assert_close(together[:1, :, : frames[0]], alone, atol=1e-4, rtol=0)
    assert not together[0, :, frames[0] :].any()


def test_silence_lies_at_the_floor() -> None:
    spectra, _ = spectra_of(log_mel(floor_db=-60).eval(), torch.zeros(4000))
    torch.testing.assert_close(spectra, torch.full_like(spectra, math.log(1e-6)))


def test_training_clips_settle_mean_and_deviation_in_any_batches() -> None:
    clips = [0.1 * torch.randn(samples) for samples in (4000, 9000, 700, 16000, 3000)]
    whole, parted = log_mel().train(), log_mel().train()
    spectra_of(whole, *clips)
    spectra_of(parted, *clips[:2])
    spectra_of(parted, *clips[2:])
    torch.testing.assert_close(parted.mean, whole.mean, atol=1e-4, rtol=0)
    torch.testing.assert_close(parted.variance, whole.variance, atol=1e-3, rtol=0)

    spectra, frames = spectra_of(whole.eval(), *clips)
    own = torch.cat(
        [rows[:, :count] for rows, count in zip(spectra, frames, strict=True)], dim=1
    )  # (mels, frames)
    torch.testing.assert_close(own.mean(dim=1), torch.zeros(40), atol=1e-4, rtol=0)
    torch.testing.assert_close(own.std(dim=1, correction=0), torch.ones(40), atol=1e-3, rtol=0)


def test_evaluation_learns_nothing_and_what_was_learned_is_saved() -> None:
    front = log_mel().train()
    spectra_of(front, torch.randn(4000))
    mean = front.mean.clone()
    spectra_of(front.eval(), torch.zeros(4000))
    again = log_mel()
    again.load_state_dict(front.state_dict())
    torch.testing.assert_close(again.mean, mean, atol=0, rtol=0)
    assert again.frames_heard == 1 + 4000 // 256


def test_per_clip_each_mel_of_a_clip_has_mean_0_and_deviation_1_whatever_its_loudness() -> None:
    front = LogMel(RATE_HZ, 40, window_s=0.05, hop_s=0.016, floor_db=-80.0, per_clip=True).eval()
    quiet, longer = 0.01 * torch.randn(9000), torch.randn(20000)
    spectra, frames = spectra_of(front, quiet, longer)
    own = spectra[0, :, : frames[0]]
    torch.testing.assert_close(own.mean(dim=1), torch.zeros(40), atol=1e-4, rtol=0)
    torch.testing.assert_close(own.std(dim=1, correction=0), torch.ones(40), atol=1e-3, rtol=0)
