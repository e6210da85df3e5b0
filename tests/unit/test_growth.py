"""Costs that must not grow faster than the number of clips."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from lightning_emorec.audio import AudioStore
from lightning_emorec.features import Feature, FeatureCache, Options, Value
from lightning_emorec.features import cache as cache_module
from lightning_emorec.sqlite_store import connect
from lightning_emorec.types import Clip


class Cheap(Feature):
    name = "cheap"

    def options(self) -> Options:
        return {}

    def compute(self, clips: Sequence[Clip], audio: AudioStore) -> Iterator[Value]:
        yield from (np.array([float(clip.id)]) for clip in clips)

    def collate(self, values: Sequence[Value]) -> Tensor | list[str]:
        raise NotImplementedError


def test_values_that_take_no_time_are_written_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []

    def traced(path: Path, table: str) -> sqlite3.Connection:
        connection = connect(path, table)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(cache_module, "connect", traced)
    monkeypatch.setattr(cache_module, "_UNKEPT_S", 3600.0)
    cache, clips = FeatureCache(tmp_path), [Clip(str(number), "1", None) for number in range(30)]
    cache.fill(Cheap(), clips, [clip.id for clip in clips], AudioStore(tmp_path, 16000))
    assert statements.count("COMMIT") == 1
    assert cache.get(Cheap().stored_as, "29") == np.array([29.0])
