from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from lightning_emorec.audio import AudioStore
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import parallel
from lightning_emorec.features.parallel import Sound, over_clips
from lightning_emorec.types import Clip


@pytest.fixture
def audio(tmp_path: Path) -> AudioStore:
    return AudioStore(tmp_path / "cache", 16000)


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """The n-th clip lasts 0.1 s + n samples."""
    made = []
    for number in range(6):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, np.full(1600 + number, 0.5), 16000)
        made.append(Clip(str(number), "1", path))
    return made


def length_and_process(sound: Sound) -> NDArray[Any]:
    return np.array([len(sound), os.getpid()], dtype=np.int64)


def test_few_clips_are_done_in_order_in_this_process(clips: list[Clip], audio: AudioStore) -> None:
    made = [result.tolist() for result in over_clips(length_and_process, clips, audio, processes=2)]
    assert made == [[1600 + number, os.getpid()] for number in range(6)]


def test_many_clips_are_done_in_order_by_other_processes(
    clips: list[Clip], audio: AudioStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "_FEW", 5)
    made = [result.tolist() for result in over_clips(length_and_process, clips, audio, processes=2)]
    assert [length for length, _ in made] == [1600 + number for number in range(6)]
    assert os.getpid() not in {process for _, process in made}


def test_clips_are_loaded_as_they_are_needed(clips: list[Clip], audio: AudioStore) -> None:
    endless = [*clips, Clip("gone", "1", clips[0].path.with_name("gone.wav"))]  # type: ignore[union-attr]
    results: Iterator[NDArray[Any]] = over_clips(length_and_process, endless, audio, processes=1)
    assert [int(next(results)[0]) for _ in clips] == [1600, 1601, 1602, 1603, 1604, 1605]
    with pytest.raises(EmorecError, match=r"gone\.wav"):
        next(results)
