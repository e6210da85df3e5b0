from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from lightning_emorec.audio import FrontEnd
from lightning_emorec.audio.shape import loud_span
from lightning_emorec.export.spans import front_end, loud_spans

RATE_HZ = 16000


def clips() -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    made = [np.zeros(3000), np.zeros(1), draw.standard_normal(1600), draw.standard_normal(1601)]
    for _ in range(40):
        blocks = np.repeat(10 ** draw.uniform(-4, 0, 30), 700)[: int(draw.integers(1, 21000))]
        made.append(blocks * draw.standard_normal(len(blocks)))
    return [clip.astype(np.float32) for clip in made]


def padded(sounds: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    rows = [torch.from_numpy(sound) for sound in sounds]
    return pad_sequence(rows, batch_first=True), torch.tensor([len(row) for row in rows])


@pytest.mark.parametrize("below_peak_db", [10.0, 30.0])
def test_spans_of_a_batch_are_those_of_its_clips(below_peak_db: float) -> None:
    sounds = clips()
    start, end = loud_spans(*padded(sounds), RATE_HZ, below_peak_db)
    expected = [loud_span(sound, RATE_HZ, below_peak_db) for sound in sounds]
    assert list(zip(start.tolist(), end.tolist(), strict=True)) == expected


@pytest.mark.parametrize("trim_db", [None, 20.0])
@pytest.mark.parametrize("peak_normalise", [False, True])
@pytest.mark.parametrize("max_s", [0.5, 15.0])
def test_a_batch_is_cut_as_its_clips_are(trim_db: float | None, peak_normalise: bool, max_s: float) -> None:
    options = FrontEnd(RATE_HZ, trim_db, peak_normalise, max_s)
    sounds = clips()
    audio, lengths = front_end(*padded(sounds), options)
    for row, length, sound in zip(audio, lengths.tolist(), sounds, strict=True):
        np.testing.assert_array_equal(row[:length].numpy(), options(sound))
        assert not row[length:].any()
