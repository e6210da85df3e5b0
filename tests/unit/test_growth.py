"""Costs that must not grow faster than the number of clips."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_emorec.audio import AudioStore
from lightning_emorec.branches.adaptation import _adapted_rows
from lightning_emorec.confidence import Confidence
from lightning_emorec.evaluation.prediction_sets import prediction_sets
from lightning_emorec.evaluation.results import Fold, Results, System
from lightning_emorec.features import Feature, FeatureCache, Options, Value
from lightning_emorec.features import cache as cache_module
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.recognition.journal import Journal
from lightning_emorec.recognition.segment import Segment
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


class Batch(Cheap):
    """Gives four values together, after a while; the process is killed in the next batch."""

    def compute(self, clips: Sequence[Clip], audio: AudioStore) -> Iterator[Value]:
        time.sleep(0.3)
        yield from super().compute(clips[:4], audio)
        os._exit(1)


def test_values_that_are_given_together_after_a_while_are_kept_before_the_next_are_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "_UNKEPT_S", 0.05)
    cache, clips = FeatureCache(tmp_path), [Clip(str(number), "1", None) for number in range(6)]
    args = (Batch(), clips, [clip.id for clip in clips], AudioStore(tmp_path, 16000))
    worker = multiprocessing.get_context("fork").Process(target=cache.fill, args=args)
    worker.start()
    worker.join(60)
    assert worker.exitcode == 1
    assert list(cache.missing(Batch(), clips, [clip.id for clip in clips])) == ["4", "5"]


def seconds_of_sets(clips: int, actors: int) -> float:
    """CPU time of evaluating the prediction sets of clips of so many actors."""
    ids = [str(number) for number in range(clips)]
    part = PartLogits(ids, {"mood": torch.zeros(clips, 2)}, {"mood": torch.zeros(clips, dtype=torch.long)})
    model, known = System("M", "model"), Confidence(1.0, np.linspace(0.1, 0.9, 9), 9)
    fold = Fold({model: {"test": part}}, {"train": [], "val": [], "test": []}, confidence=known)
    of_clips = {name: Clip(name, f"actor {int(name) % actors}", None) for name in ids}
    begun = time.process_time()
    found = prediction_sets(Results("run", {"mood": ["up", "down"]}, of_clips, [fold], model))
    spent_s = time.process_time() - begun
    assert found is not None
    assert len(found.actors) == actors
    return spent_s


def test_prediction_sets_of_many_actors_cost_as_those_of_few() -> None:
    few, many = (min(seconds_of_sets(20_000, actors) for _ in range(3)) for actors in (20, 2_000))
    assert many < 4 * few


def test_results_that_go_to_standard_output_are_not_kept() -> None:
    journal = Journal(None)
    journal.add("digest", [Segment("a.wav", 0.0, 1.0, "calm")])
    assert journal.get("digest") is None


class Compared(str):
    """A name that counts how often it is compared with another."""

    times = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Compared.times += 1
        return str.__eq__(self, other)


def test_rows_are_adapted_to_their_speakers_without_comparing_each_with_each() -> None:
    speakers = [Compared(f"speaker {row % 100}") for row in range(200)]
    rows, labels = np.arange(200.0).reshape(200, 1, 1), torch.zeros(200, dtype=torch.long)
    prior, by_label = torch.ones(1).double(), np.zeros((1, 1, 1))
    adapted = _adapted_rows(rows, speakers, labels, by_label, prior, ratio=1.0)
    assert Compared.times <= 5 * len(speakers)
    # Speaker 0 has the rows 0 and 100, whose mean, 50, lies 49.5 below that of all: two thirds of that are taken out.
    assert adapted[0, 0, 0] == pytest.approx(2 / 3 * 49.5)
