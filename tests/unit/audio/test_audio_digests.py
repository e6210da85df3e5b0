from __future__ import annotations

import hashlib
import multiprocessing
import os
import pickle
import sqlite3
from pathlib import Path

import pytest

from lightning_emorec import sqlite_store
from lightning_emorec.audio import DigestIndex, digests, parallel
from lightning_emorec.errors import EmorecError


def write_files(folder: Path, count: int) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number}.wav" for number in range(count)]
    for path in paths:
        path.write_text(f"content of {path.name}")
    return paths


def expected(paths: list[Path]) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def refuse_to_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        raise AssertionError(f"hashed {path}")

    monkeypatch.setattr(digests, "sha256_of", refuse)


def test_digests_are_the_sha256_of_the_bytes_in_order(tmp_path: Path) -> None:
    paths = write_files(tmp_path / "audio", 5)
    paths = [paths[3], paths[0], paths[3], paths[4]]
    assert DigestIndex(tmp_path).digests(paths) == expected(paths)


def test_a_file_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = write_files(tmp_path / "audio", 3)
    DigestIndex(tmp_path).digests(paths)
    refuse_to_hash(monkeypatch)
    assert DigestIndex(tmp_path).digests(paths) == expected(paths)


def test_more_files_than_fit_into_one_query_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "QUERY_AT_ONCE", 3)
    monkeypatch.setattr(digests, "COMMIT_EVERY", 2)
    paths = write_files(tmp_path / "audio", 11)
    DigestIndex(tmp_path).digests(paths)
    refuse_to_hash(monkeypatch)
    assert DigestIndex(tmp_path).digests(paths) == expected(paths)


def test_a_relative_path_is_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = write_files(tmp_path / "audio", 2)
    DigestIndex(tmp_path).digests(paths)
    refuse_to_hash(monkeypatch)
    monkeypatch.chdir(tmp_path / "audio")
    assert DigestIndex(tmp_path).digests([Path("1.wav")]) == expected(paths[1:])


@pytest.mark.parametrize("change", ["size", "mtime"])
def test_a_changed_file_is_hashed_again(tmp_path: Path, change: str) -> None:
    (path,) = write_files(tmp_path / "audio", 1)
    before = DigestIndex(tmp_path).digests([path])
    stat = path.stat()
    path.write_text("CONTENT OF 0.WAV" + (" and more" if change == "size" else ""))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + (change == "mtime")))
    after = DigestIndex(tmp_path).digests([path])
    assert after == expected([path])
    assert after != before


def test_all_missing_files_are_counted(tmp_path: Path) -> None:
    paths = [*write_files(tmp_path, 1), *(tmp_path / f"gone{number}.wav" for number in range(5))]
    with pytest.raises(
        EmorecError, match=r"found 5 that are not: no file .*gone0.*gone1.*gone2\.wav; and 2 more; "
    ):
        DigestIndex(tmp_path).digests(paths)


def test_one_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match=r"found no file .*gone\.wav; restore it or correct the path"):
        DigestIndex(tmp_path).digests([tmp_path / "gone.wav"])


def test_a_file_name_that_is_no_text_is_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    try:
        path.write_text("content")
    except OSError:
        pytest.skip("this file system takes no such names")
    DigestIndex(tmp_path).digests([path])
    refuse_to_hash(monkeypatch)
    assert DigestIndex(tmp_path).digests([path]) == expected([path])


@pytest.mark.parametrize("damage", ["not a database", "damaged page"])
def test_a_damaged_index_is_moved_aside_and_built_anew(
    tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    paths = write_files(tmp_path / "audio", 400)
    index = DigestIndex(tmp_path)
    index.digests(paths)
    content = index.path.read_bytes()
    index.path.write_bytes(
        b"not a database, " * 100
        if damage == "not a database"
        else content[:4096] + b"\xff" * (len(content) - 4096)
    )
    assert index.digests(paths) == expected(paths)
    assert "moved to digests.sqlite.damaged and built anew" in caplog.text
    assert (tmp_path / "digests.sqlite.damaged").is_file()
    refuse_to_hash(monkeypatch)
    assert index.digests(paths) == expected(paths)


def test_an_index_that_cannot_be_written_costs_only_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = write_files(tmp_path / "audio", 2)
    assert DigestIndex(paths[0]).digests(paths) == expected(paths)  # its "folder" is a file
    assert "digests are not remembered, so files are hashed again" in caplog.text


def test_a_locked_index_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite_store, "PATIENCE_S", 0.05)
    paths = write_files(tmp_path / "audio", 2)
    index = DigestIndex(tmp_path)
    other = sqlite3.connect(index.path)
    other.execute("BEGIN EXCLUSIVE")
    assert index.digests(paths) == expected(paths)
    other.close()
    assert "database is locked" in caplog.text


def test_an_interruption_keeps_what_was_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = write_files(tmp_path / "audio", 4)
    original = digests.sha256_of

    def interrupted(path: Path) -> str:
        if path == paths[3]:
            raise KeyboardInterrupt
        return original(path)

    monkeypatch.setattr(digests, "sha256_of", interrupted)
    monkeypatch.setattr(parallel, "MOST_THREADS", 1)  # in order
    with pytest.raises(KeyboardInterrupt):
        DigestIndex(tmp_path).digests(paths)
    refuse_to_hash(monkeypatch)
    assert DigestIndex(tmp_path).digests(paths[:3]) == expected(paths[:3])


def _digests_in_child(folder: Path, paths: list[Path], barrier: object, queue: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    queue.put(DigestIndex(folder).digests(paths))  # type: ignore[attr-defined]


def test_several_processes_use_one_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "COMMIT_EVERY", 5)
    paths = write_files(tmp_path / "audio", 40)
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(3), context.Queue()
    children = [
        context.Process(target=_digests_in_child, args=(tmp_path, paths, barrier, queue)) for _ in range(3)
    ]
    for child in children:
        child.start()
    results = [queue.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    assert results == [expected(paths)] * 3
    refuse_to_hash(monkeypatch)
    assert DigestIndex(tmp_path).digests(paths) == expected(paths)


def test_an_index_pickles(tmp_path: Path) -> None:
    paths = write_files(tmp_path / "audio", 1)
    index = DigestIndex(tmp_path)
    index.digests(paths)
    assert pickle.loads(pickle.dumps(index)).digests(paths) == expected(paths)
