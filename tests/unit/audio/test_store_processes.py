from __future__ import annotations

import multiprocessing
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from lightning_emorec.audio import AudioStore, decode
from tests.unit.audio.conftest import RATE_HZ


def _prepare_in_child(cache: Path, paths: list[Path], barrier: Any, queue: Any) -> None:
    barrier.wait()
    audio = AudioStore(cache, RATE_HZ)
    audio.prepare(paths)
    queue.put([audio.load(path) for path in paths])


def test_two_processes_that_start_at_once_agree(paths: list[Path], cache: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(2), context.Queue()
    children = [
        context.Process(target=_prepare_in_child, args=(cache, paths, barrier, queue)) for _ in range(2)
    ]
    for child in children:
        child.start()
    first, second = (queue.get(timeout=60) for _ in children)
    for child in children:
        child.join()
    for one, other, path in zip(first, second, paths, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_allclose(one, decode(path, RATE_HZ), atol=1e-4)
    files = [path.suffix for path in (cache / f"audio-{RATE_HZ}").rglob("*") if path.is_file()]
    assert files == [".pcm"] * len(paths)  # no entry twice, no temporary file


def test_a_loaded_clip_outlives_its_entry_and_may_be_changed(paths: list[Path], cache: Path) -> None:
    audio = AudioStore(cache, RATE_HZ)
    loaded = audio.load(paths[0])
    expected = loaded.copy()
    shutil.rmtree(cache)
    np.testing.assert_array_equal(loaded, expected)
    loaded += 1
