from __future__ import annotations

import torch
from torch import Tensor

from lightning_emorec.branches.spectral import SpecAugment, mild_warps

STILL = {
    "freq_masks": 0,
    "freq_mels": 8,
    "time_masks": 0,
    "time_share": 0.2,
    "stretch": 0.0,
    "mel_scale": 0.0,
    "mel_shift": 0.0,
}


def changed(spectra: Tensor, lengths: Tensor, **knobs: float) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return SpecAugment(**{**STILL, **knobs}).train()(spectra, lengths)  # type: ignore[arg-type]


def test_evaluation_leaves_spectra_alone() -> None:
    spectra, lengths = torch.randn(2, 40, 30), torch.tensor([30, 12])
    augment = SpecAugment(2, 8, 2, 0.2, 0.2, 0.1, 3.0).eval()
    after, after_lengths = augment(spectra, lengths)
    assert after is spectra
    assert after_lengths is lengths


def test_with_every_knob_at_zero_nothing_changes() -> None:
    spectra, lengths = torch.randn(2, 40, 30), torch.tensor([30, 12])
    after, after_lengths = changed(spectra, lengths)
    assert torch.equal(after, spectra)
    assert torch.equal(after_lengths, lengths)


def test_each_clip_has_masks_of_its_own_no_wider_than_asked() -> None:
    after, _ = changed(torch.ones(50, 40, 30), torch.full((50,), 30), freq_masks=1, time_masks=1)
    mels = (after == 0).all(dim=2).sum(dim=1)  # (batch,)
    frames = (after == 0).all(dim=1).sum(dim=1)
    assert 1 < mels.max() <= 8
    assert 1 < frames.max() <= 6
    assert len(mels.unique()) > 3
    assert len(frames.unique()) > 3


def test_a_stretched_clip_is_longer_or_shorter_within_the_bounds() -> None:
    _, lengths = changed(torch.ones(200, 10, 100), torch.full((200,), 100), stretch=0.2)
    assert 80 <= lengths.min() < 90
    assert 110 < lengths.max() <= 120


def test_stretching_keeps_the_order_of_events_and_clears_the_padding() -> None:
    ramp = torch.arange(1.0, 101.0).expand(20, 10, 100)
    after, lengths = changed(ramp, torch.full((20,), 100), stretch=0.2)
    for rows, count in zip(after, lengths.tolist(), strict=True):
        assert (rows[:, 1:count] >= rows[:, : count - 1]).all()
        torch.testing.assert_close(rows[0, count - 1].item(), 100.0, atol=1.0, rtol=0)
        assert not rows[:, count:].any()


def test_a_shifted_peak_moves_by_no_more_than_asked() -> None:
    spectra = torch.zeros(100, 40, 8)
    spectra[:, 20] = 1.0
    after, _ = changed(spectra, torch.full((100,), 8), mel_shift=3.0)
    centres = (after[:, :, 4] * torch.arange(40)).sum(dim=1) / after[:, :, 4].sum(dim=1)
    torch.testing.assert_close(centres.max().item(), 23.0, atol=0.3, rtol=0)
    torch.testing.assert_close(centres.min().item(), 17.0, atol=0.3, rtol=0)


def test_the_draws_come_from_torchs_generator() -> None:
    spectra, lengths = torch.randn(4, 40, 30), torch.full((4,), 30)
    knobs = {"freq_masks": 1, "time_masks": 1, "stretch": 0.2, "mel_scale": 0.1, "mel_shift": 2.0}
    assert torch.equal(changed(spectra, lengths, **knobs)[0], changed(spectra, lengths, **knobs)[0])


def test_mild_warps_change_one_thing_at_a_time_both_ways() -> None:
    assert mild_warps(0.3, 0.0, 3.0, share=0.5) == [
        (-0.15, 0.0, 0.0),
        (0.15, 0.0, 0.0),
        (0.0, 0.0, -1.5),
        (0.0, 0.0, 1.5),
    ]
