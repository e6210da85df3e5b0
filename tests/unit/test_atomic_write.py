from __future__ import annotations

import errno
from pathlib import Path

import pytest

from lightning_emorec.atomic_write import whole_file


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a"
    with whole_file(path) as slow:
        slow.write(b"slow, ")
        with whole_file(path) as quick:
            quick.write(b"quick")
        assert path.read_bytes() == b"quick"
        slow.write(b"and last")
    assert path.read_bytes() == b"slow, and last"
    assert [*path.parent.iterdir()] == [path]


def test_what_cannot_be_ended_leaves_what_was_there_and_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")

    def fail() -> None:
        with whole_file(path) as file:
            file.write(b"new")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
        fail()
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]
