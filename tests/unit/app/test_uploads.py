"""What is kept of recordings, and for how long."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from lightning_emorec.app.uploads import Uploads, upload_folder
from lightning_emorec.errors import EmorecError


def sent(folder: Path, name: str) -> Path:
    file = folder / name / "call.wav"
    file.parent.mkdir()
    file.write_text(name)
    return file


def test_a_recording_goes_when_its_visitor_has_another_one_or_leaves(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path)
    first, second, other = (sent(tmp_path, name) for name in ("first", "second", "other"))
    uploads.arrived("a", str(first))
    uploads.arrived("b", str(other))
    uploads.arrived("a", str(second))
    assert [file.exists() for file in (first, second, other)] == [False, True, True]
    uploads.arrived("a", None)
    assert [file.exists() for file in (second, other)] == [False, True]


def test_a_recording_that_is_being_answered_stays_until_the_answer(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path)
    file = sent(tmp_path, "first")
    uploads.arrived("a", str(file))
    with suppress(EmorecError), uploads.taken(file) as mine:
        uploads.arrived("a", None)
        assert mine.read_text() == "first"
        raise EmorecError("an answer", "none", "ask again")
    assert list(tmp_path.iterdir()) == []


def test_only_uploads_are_taken_and_removed(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    uploads, outside = Uploads(folder), sent(tmp_path, "outside")
    with pytest.raises(EmorecError, match="expected an upload"), uploads.taken(outside):
        pass
    uploads.remove(outside)
    assert outside.exists()
    with (
        pytest.raises(EmorecError, match="removed after its answer"),
        uploads.taken(folder / "x" / "call.wav"),
    ):
        pass


def test_two_pages_at_once_leave_each_other_alone() -> None:
    with upload_folder() as first:
        with upload_folder() as second:
            assert first.is_dir()
            assert first != second
        assert first.is_dir()
        assert not second.exists()
    assert not first.exists()
