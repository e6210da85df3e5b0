"""Fixtures that several test folders use."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

SHARED = Path(__file__).resolve().parents[2] / "shared"
CONFIGS = Path(__file__).resolve().parents[1] / "configs"

TONES_HZ = {"low": 200, "middle": 500, "high": 1250}
WORDS = {"low": "down by the river", "middle": "on the way home", "high": "up in the tree"}


@pytest.fixture(scope="session", autouse=True)
def _few_threads() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache; the tests of one process share theirs."""
    monkeypatch.setenv("EMOREC_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the repository; tests that need it skip where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"real data is not here: no folder {SHARED / 'data'}")
    return SHARED


@pytest.fixture(scope="session")
def configs() -> Path:
    """The repository's configs."""
    return CONFIGS


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of short tones in noise: 6 actors, 3 classes that differ in pitch, 3 clips of each."""
    folder = tmp_path_factory.mktemp("tones")
    draw = np.random.default_rng(0)
    rows = []
    for actor in range(1, 7):
        for name, pitch_hz in TONES_HZ.items():
            for take in range(3):
                time_s = np.arange(int(16000 * draw.uniform(0.2, 0.4))) / 16000
                tone = 0.3 * np.sin(2 * np.pi * pitch_hz * draw.uniform(0.95, 1.05) * time_s)
                file = f"{actor}-{name}-{take}.wav"
                soundfile.write(folder / file, tone + 0.05 * draw.standard_normal(len(time_s)), 16000)
                voice = "deep" if actor % 2 else "bright"
                rows.append(
                    {"path": file, "actor": actor, "pitch": name, "voice": voice, "text": WORDS[name]}
                )
    manifest = folder / "tones.csv"
    with manifest.open("w", newline="", encoding="utf8") as file_:
        writer = csv.DictWriter(file_, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return manifest
