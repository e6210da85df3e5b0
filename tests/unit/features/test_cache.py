from __future__ import annotations

import multiprocessing
import os
import pickle
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import soundfile
from torch import Tensor

from lightning_emorec.audio import AudioStore
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Feature, FeatureCache, FeatureReader, Options, Value
from lightning_emorec.features import cache as cache_module
from lightning_emorec.types import Clip


class Counting(Feature):
    """Its value names the clip; it remembers which it computed, and can break off."""

    name = "counting"
    activity: ClassVar[str] = "counting clips"

    def __init__(self, option: int = 0, breaks_at: int | None = None) -> None:
        self.option = option
        self.breaks_at = breaks_at
        self.computed: list[str] = []

    def options(self) -> Options:
        return {"option": self.option}

    def compute(self, clips: Sequence[Clip], audio: AudioStore) -> Iterator[Value]:
        for clip in clips:
            if len(self.computed) == self.breaks_at:
                raise KeyboardInterrupt
            self.computed.append(clip.id)
            yield {"id": clip.id}

    def collate(self, values: Sequence[Value]) -> Tensor | list[str]:
        return [str(value) for value in values]


class NotFromAudio(Counting):
    from_audio = False


class Arrays(Counting):
    def compute(self, clips: Sequence[Clip], audio: AudioStore) -> Iterator[Value]:
        yield from (np.arange(6, dtype=np.float16).reshape(2, 3) for _ in clips)


def clips_of(*names: str) -> list[Clip]:
    return [Clip(id=name, actor="1", path=None) for name in names]


def fill(cache: FeatureCache, feature: Feature, *names: str) -> None:
    digests = [f"digest of {name}" for name in names]
    cache.fill(feature, clips_of(*names), digests, AudioStore(cache.folder, 16000))


def database(cache: FeatureCache) -> Path:
    (path,) = cache.folder.glob("*.sqlite")
    return path


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path)


def test_a_value_is_computed_once_for_all_runs(tmp_path: Path) -> None:
    fill(FeatureCache(tmp_path), Counting(), "a", "b")
    later = Counting()
    fill(FeatureCache(tmp_path), later, "a", "b", "c")
    assert later.computed == ["c"]
    assert FeatureCache(tmp_path).get(later.stored_as, "digest of a") == {"id": "a"}


def test_other_options_are_another_feature(cache: FeatureCache) -> None:
    fill(cache, Counting(option=0), "a")
    other = Counting(option=1)
    fill(cache, other, "a")
    assert other.computed == ["a"]


def test_equal_audio_is_computed_once(cache: FeatureCache) -> None:
    feature = Counting()
    cache.fill(feature, clips_of("a", "copy of a"), ["same", "same"], AudioStore(cache.folder, 16000))
    assert len(feature.computed) == 1


def test_an_interrupted_run_resumes_where_it_stopped(cache: FeatureCache) -> None:
    with pytest.raises(KeyboardInterrupt):
        fill(cache, Counting(breaks_at=2), "a", "b", "c", "d")
    again = Counting()
    fill(cache, again, "a", "b", "c", "d")
    assert again.computed == ["c", "d"]


def test_an_array_comes_back_as_it_was(cache: FeatureCache) -> None:
    feature = Arrays()
    fill(cache, feature, "a")
    value = cache.get(feature.stored_as, "digest of a")
    assert isinstance(value, np.ndarray)
    assert value.dtype == np.float16
    assert value.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_feature_that_is_not_made_from_audio_is_left_alone(cache: FeatureCache) -> None:
    feature = NotFromAudio()
    fill(cache, feature, "a")
    assert feature.computed == []
    assert not cache.folder.exists()


def test_the_progress_bar_counts_what_is_missing(
    cache: FeatureCache, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(cache, Counting(), "a")
    capsys.readouterr()
    fill(cache, Counting(), "a", "b", "c")
    shown = capsys.readouterr().err
    assert "counting clips" in shown
    assert "2/2" in shown


def read_all(cache: FeatureCache, feature: Feature, names: Sequence[str]) -> list[Value]:
    """The values of clips of real audio, after `fill`, as a model gets them."""
    clips = []
    for number, name in enumerate(names):
        path = cache.folder.parent / f"{number}.wav"
        soundfile.write(path, np.full(800, 0.01 * (number + 1), dtype=np.float32), 16000)
        clips.append(Clip(id=name, actor="1", path=path))
    reader = FeatureReader(cache, [feature], AudioStore(cache.folder.parent, 16000))
    reader.fill(clips)
    return [reader.value(feature.key, clip) for clip in clips]


def test_a_damaged_row_is_computed_anew_with_a_warning_when_it_is_read(
    cache: FeatureCache, caplog: pytest.LogCaptureFixture
) -> None:
    read_all(cache, Counting(), ["a", "b"])
    connection = sqlite3.connect(database(cache))
    with connection:
        connection.execute("UPDATE features SET value = ? WHERE value = ?", (b'{"id": "x"}', b'{"id": "a"}'))
    connection.close()
    again = Counting()
    assert read_all(cache, again, ["a", "b"]) == [{"id": "a"}, {"id": "b"}]
    assert again.computed == ["a"]
    assert "a damaged value" in caplog.text


@pytest.mark.parametrize("damage", ["text", "cut", "holes"])
def test_a_damaged_file_is_computed_anew_with_a_warning(
    cache: FeatureCache, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    names = [f"clip {number}" + " of many" * 50 for number in range(40)]
    read_all(cache, Counting(), names)
    path = database(cache)
    content = path.read_bytes()
    path.write_bytes(
        {
            "text": b"this is no database" * 300,
            "cut": content[: len(content) // 2],
            "holes": content[:4096] + bytes(len(content) - 4096),
        }[damage]
    )
    again = Counting()
    assert read_all(cache, again, names) == [{"id": name} for name in names]
    assert sorted(again.computed) == sorted(names)
    assert "is damaged" in caplog.text


def test_asking_for_a_value_that_was_never_computed_is_an_error(cache: FeatureCache) -> None:
    fill(cache, Counting(), "a")
    with pytest.raises(EmorecError, match="found none; start again"):
        cache.get(Counting().stored_as, "digest of b")


def test_asking_for_a_damaged_value_is_an_error(cache: FeatureCache) -> None:
    fill(cache, Counting(), "a")
    connection = sqlite3.connect(database(cache))
    with connection:
        connection.execute("UPDATE features SET crc = crc + 1")
    connection.close()
    with pytest.raises(EmorecError, match="found a damaged one; start again"):
        cache.get(Counting().stored_as, "digest of a")


def test_a_full_disk_is_told_and_what_was_computed_is_kept(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def connect_to_full_disk(*args: object, **options: object) -> sqlite3.Connection:
        connection = connect(*args, **options)  # type: ignore[call-overload]
        connection.execute("PRAGMA max_page_count = 8")  # SQLite then answers as it does on a full disk
        return connection

    names = [f"{number}-" + "long name " * 40 for number in range(100)]
    with monkeypatch.context() as patch:
        patch.setattr(cache_module.sqlite3, "connect", connect_to_full_disk)
        with pytest.raises(EmorecError, match=r"found a full disk at .*free some space"):
            fill(cache, Counting(), *names)
    again = Counting()
    fill(cache, again, *names)
    assert 0 < len(again.computed) < len(names)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "features").write_text("a file where the folder should be")
    with pytest.raises(EmorecError, match="a cache folder that can be read and written"):
        fill(FeatureCache(tmp_path), Counting(), "a")


class Slow(Counting):
    """Also notes each clip that it computes in a file."""

    def __init__(self, notes: Path) -> None:
        super().__init__()
        self.notes = notes

    def compute(self, clips: Sequence[Clip], audio: AudioStore) -> Iterator[Value]:
        for value in super().compute(clips, audio):
            time.sleep(0.01)
            with self.notes.open("a") as notes:
                notes.write(f"{self.computed[-1]} {os.getpid()}\n")
            yield value


def _fill_many(cache: FeatureCache, notes: Path) -> None:
    fill(cache, Slow(notes), *MANY)


MANY = [f"clip {number}" for number in range(100)]


def start_filling(cache: FeatureCache, notes: Path) -> multiprocessing.process.BaseProcess:
    worker = multiprocessing.get_context("fork").Process(target=_fill_many, args=(cache, notes))
    worker.start()
    return worker


def test_two_processes_that_fill_one_cache_share_the_work(cache: FeatureCache, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    workers = [start_filling(cache, notes) for _ in range(2)]
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    computed = [line.rpartition(" ") for line in notes.read_text().splitlines()]
    assert sorted(clip for clip, _, _ in computed) == sorted(MANY)
    assert len({process for _, _, process in computed}) == 2
    assert all(cache.get(Counting().stored_as, f"digest of {name}") == {"id": name} for name in MANY)
    assert [path.name for path in cache.folder.glob("*.claims/*")] == ["lock"]


def test_what_a_killed_process_had_begun_is_computed_by_another(cache: FeatureCache, tmp_path: Path) -> None:
    worker = start_filling(cache, tmp_path / "notes")
    while not (tmp_path / "notes").exists():
        time.sleep(0.01)
    worker.kill()
    worker.join(60)
    fill(cache, again := Counting(), *MANY)
    assert len(again.computed) > len(MANY) / 2
    assert all(cache.get(Counting().stored_as, f"digest of {name}") == {"id": name} for name in MANY)


def test_a_cache_survives_pickling(cache: FeatureCache) -> None:
    fill(cache, Counting(), "a")
    twin: FeatureCache = pickle.loads(pickle.dumps(cache))
    assert twin.get(Counting().stored_as, "digest of a") == {"id": "a"}


def test_a_share_is_computed_without_the_others(cache: FeatureCache, tmp_path: Path) -> None:
    feature = Counting()
    clips = []
    for name in "abcde":
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, np.full(800, ord(name) / 200, dtype=np.float32), 16000)
        clips.append(Clip(id=name, actor="1", path=path))
    reader = FeatureReader(cache, [feature], AudioStore(tmp_path, 16000))
    reader.fill(clips, share=(1, 2))
    assert feature.computed == ["b", "d"]
    assert reader.lacks(clips)
    reader.fill(clips, share=(0, 2))
    assert feature.computed == ["b", "d", "a", "c", "e"]
    assert not reader.lacks(clips)


def test_a_process_that_is_not_the_first_shows_no_progress_bar(
    cache: FeatureCache, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.fill(Counting(), clips_of("a"), ["a"], AudioStore(cache.folder, 16000), show=False)
    assert "counting clips" not in capsys.readouterr().err
