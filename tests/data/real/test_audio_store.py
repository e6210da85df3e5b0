from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from lightning_emorec.audio import AudioStore, trim_silence

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def originals(shared: Path) -> list[Path]:
    paths = sorted((shared / "data" / "ravdess_original_48k").glob("*/*.wav"))
    if not paths:
        pytest.skip("real data is not here: no clips in ravdess_original_48k")
    return paths


def copy_at_16_khz(shared: Path, original: Path) -> Path:
    (path,) = (shared / "data" / "ravdess16k").glob(f"*/{original.stem}.flac")
    return path


def test_clips_as_published_give_the_same_audio_as_their_16_khz_copies(
    shared: Path, originals: list[Path], tmp_path: Path
) -> None:
    assert sum(soundfile.info(path).channels == 2 for path in originals) == 3
    audio = AudioStore(tmp_path, RATE_HZ)
    audio.prepare(originals)
    for original in originals:
        decoded = audio.load(original)
        copy, _ = soundfile.read(copy_at_16_khz(shared, original), dtype="float32")
        assert len(decoded) == len(copy)
        # No shift is searched for: a resampler that delays would fail here.
        assert np.corrcoef(decoded, copy)[0, 1] > 0.9999
        assert np.abs(decoded - copy).max() < 0.01


def test_every_16_khz_clip_survives_the_store(shared: Path, tmp_path: Path) -> None:
    paths = sorted((shared / "data" / "ravdess16k").glob("Actor_0[2-4]/*.flac"))
    audio = AudioStore(tmp_path, RATE_HZ)
    audio.prepare(paths)
    for path in paths:
        original, _ = soundfile.read(path, dtype="float32")
        assert np.abs(audio.load(path) - original).max() <= 0.51 * np.abs(original).max() / 32767


def test_trimming_at_30_db_leaves_speech(shared: Path, tmp_path: Path) -> None:
    """The two sentences take 1 to 3.5 s to say, in recordings of about 3.7 s."""
    audio = AudioStore(tmp_path, RATE_HZ)
    for path in sorted((shared / "data" / "ravdess16k").glob("Actor_02/*.flac")):
        seconds = len(trim_silence(audio.load(path), RATE_HZ, 30)) / RATE_HZ
        assert 0.8 < seconds < 4
