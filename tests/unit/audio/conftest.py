from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE_HZ = 16_000


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Four clips of different lengths and loudness."""
    folder = tmp_path / "audio"
    folder.mkdir()
    generator = np.random.default_rng(0)
    clips = [folder / f"{number}.wav" for number in range(4)]
    for number, path in enumerate(clips):
        noise = generator.uniform(-1, 1, 2000 + number) * 10.0**-number
        soundfile.write(path, noise, RATE_HZ, subtype="FLOAT")
    return clips


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"
