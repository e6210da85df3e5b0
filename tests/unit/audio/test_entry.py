from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lightning_emorec.audio import entry

RATE_HZ = 16_000
HEADER_BYTES = 32


def test_an_entry_is_a_header_and_two_bytes_a_sample(tmp_path: Path) -> None:
    entry.write_entry(tmp_path / "a.pcm", np.array([0.5, -0.25, 0.0], np.float32), RATE_HZ)
    content = (tmp_path / "a.pcm").read_bytes()
    assert len(content) == HEADER_BYTES + 6
    assert np.frombuffer(content, "<i2", offset=HEADER_BYTES).tolist() == [32767, -16384, 0]


@pytest.mark.parametrize("peak", [1e-44, 1e-38, 1e-6, 1.0, 1e30])
def test_an_entry_holds_any_loudness(tmp_path: Path, peak: float) -> None:
    audio = (np.linspace(-1, 1, 101) * peak).astype(np.float32)
    entry.write_entry(tmp_path / "a.pcm", audio, RATE_HZ)
    np.testing.assert_allclose(
        entry.read_entry(tmp_path / "a.pcm", RATE_HZ), audio, atol=peak / 50_000 + 1e-40
    )


@pytest.mark.parametrize("peak", [0.0, 1e-44, 1e-38, 1e-6, 0.3, 1e30])
def test_audio_as_stored_is_what_an_entry_gives_back(tmp_path: Path, peak: float) -> None:
    audio = (np.random.default_rng(0).uniform(-1, 1, 1001) * peak).astype(np.float32)
    entry.write_entry(tmp_path / "a.pcm", audio, RATE_HZ)
    read = entry.read_entry(tmp_path / "a.pcm", RATE_HZ)
    stored = entry.as_stored(audio)
    assert stored.dtype == read.dtype
    assert stored.tobytes() == read.tobytes()
