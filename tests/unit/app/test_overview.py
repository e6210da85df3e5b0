"""A recording as it looks."""

from __future__ import annotations

import re
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib.image import imread

from lightning_emorec.app.overview import BANDS, COLUMNS, Overview, look_at
from lightning_emorec.errors import EmorecError


@pytest.fixture
def overview(tmp_path: Path) -> Overview:
    """12 s and 5 ms: silence, then a tone of 1 kHz from 6 s on."""
    time_s = np.arange(12 * 16000 + 80) / 16000
    tone = np.where(time_s < 6, 0, 0.5 * np.sin(2 * np.pi * 1000 * time_s))
    soundfile.write(tmp_path / "tone.wav", tone, 16000)
    return look_at(tmp_path / "tone.wav", most_s=60)


def test_steps_are_20_ms_and_none_is_lost_between_blocks(overview: Overview) -> None:
    assert overview.duration == pytest.approx(12.005)
    assert overview.extremes.shape == (601, 2)
    assert overview.levels.shape == (601, BANDS)
    assert np.abs(overview.extremes[:300]).max() == 0
    assert overview.extremes[301:600] == pytest.approx(np.tile([-0.5, 0.5], (299, 1)), abs=0.01)


def test_the_band_of_a_tone_is_the_loudest(overview: Overview) -> None:
    loudest = overview.levels[310:590].argmax(axis=1)
    assert len(set(loudest.tolist())) == 1
    assert overview.levels[310:590].max() - overview.levels[:290].max() > 60


def test_a_drawing_fills_its_row_as_far_as_the_recording_goes(overview: Overview) -> None:
    points = re.findall(r"([\d.]+) (-?[\d.]+)", overview.waveform(6, 18))
    assert max(float(x) for x, _ in points) == pytest.approx(1000 * 6.005 / 12, abs=1)
    assert min(float(y) for _, y in points) == pytest.approx(-1, abs=0.01)


def test_a_spectrogram_is_a_picture_in_the_page(overview: Overview) -> None:
    kind, _, content = overview.spectrogram(0, 12.005).partition(",")
    picture = imread(BytesIO(b64decode(content)))
    assert kind == "data:image/png;base64"
    assert picture.shape[:2] == (BANDS, COLUMNS)
    assert picture[:, -50:, :3].max() > picture[:, :50, :3].max() + 0.5


@pytest.mark.parametrize("samples", [1, 319, 320, 321, 512, 160_001])
def test_recordings_of_any_length_can_be_drawn(tmp_path: Path, samples: int) -> None:
    soundfile.write(tmp_path / "any.wav", np.zeros(samples), 16000)
    overview = look_at(tmp_path / "any.wav", most_s=60)
    assert len(overview.extremes) == len(overview.levels) == -(-samples // 320)
    assert overview.waveform(0, overview.duration).startswith("M")
    assert overview.spectrogram(0, overview.duration)


def test_a_recording_that_is_too_long_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.zeros(16000), 8000)
    with pytest.raises(EmorecError, match=r"at most 0\.025 minutes; found more in long\.wav"):
        look_at(tmp_path / "long.wav", most_s=1.5)
