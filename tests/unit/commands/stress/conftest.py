"""A sentence's worth of sound, and clips of several actors on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from lightning_emorec.audio import AudioStore
from lightning_emorec.commands.stress.recording import Recording, Sound, Voices
from lightning_emorec.types import Clip

RATE_HZ = 16000


@pytest.fixture
def speech() -> Sound:
    """2.5 s at 16 kHz: 0.5 s of silence, then a harmonic tone that swells four times a second, in all bands."""
    time_s = np.arange(2 * RATE_HZ) / RATE_HZ
    tone = sum(np.sin(2 * np.pi * 110 * k * time_s + k) / k for k in range(1, 70))
    swell = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * time_s)
    spoken = 0.1 * tone * swell + 0.002 * np.random.default_rng(1).standard_normal(len(time_s))
    return np.concatenate([np.zeros(RATE_HZ // 2), spoken]).astype(np.float32)


@pytest.fixture
def store(tmp_path: Path) -> AudioStore:
    return AudioStore(tmp_path / "cache", RATE_HZ)


@pytest.fixture
def voices(tmp_path: Path) -> list[Clip]:
    """Two clips each of four actors, of noise."""
    clips = []
    for actor in "abcd":
        for take in range(2):
            path = tmp_path / f"{actor}{take}.wav"
            draw = np.random.default_rng(ord(actor) + take)
            soundfile.write(path, 0.1 * draw.standard_normal(RATE_HZ), RATE_HZ)
            clips.append(Clip(path.stem, actor, path))
    return clips


def recording(
    audio: Sound, actor: str = "a", rate_hz: int = RATE_HZ, seed: int = 1, voices: Voices | None = None
) -> Recording:
    return Recording(audio, rate_hz, Clip("judged", actor, None), seed, voices or no_voices())


def no_voices() -> Voices:
    return Voices([], AudioStore(Path("nowhere"), RATE_HZ))
