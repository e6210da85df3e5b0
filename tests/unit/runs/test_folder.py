from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path

import pytest

from lightning_emorec import __version__
from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.errors import EmorecError
from lightning_emorec.runs.folder import begun_by, claim_run_folder, mark_done, warn_of_other_versions


def claim(runs: Path, fingerprint: str) -> Path:
    with ExitStack() as held:
        return claim_run_folder(runs, "fused", fingerprint, held)


def test_the_first_run_gets_the_name(tmp_path: Path) -> None:
    assert claim(tmp_path, "a") == tmp_path / "fused"


def test_a_finished_run_is_not_overwritten(tmp_path: Path) -> None:
    mark_done(claim(tmp_path, "a"))
    assert claim(tmp_path, "a") == tmp_path / "fused-2"


def test_an_unfinished_run_with_the_same_fingerprint_is_continued(tmp_path: Path) -> None:
    claim(tmp_path, "a")
    assert claim(tmp_path, "a") == tmp_path / "fused"


def test_an_unfinished_run_with_another_fingerprint_is_left_alone(tmp_path: Path) -> None:
    claim(tmp_path, "a")
    assert claim(tmp_path, "b") == tmp_path / "fused-2"


def test_a_folder_in_which_a_process_is_at_work_is_left_alone(tmp_path: Path) -> None:
    with ExitStack() as held:
        claim_run_folder(tmp_path, "fused", "a", held)
        assert claim(tmp_path, "a") == tmp_path / "fused-2"
    assert claim(tmp_path, "a") == tmp_path / "fused"


def test_a_folder_that_no_run_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "fused").mkdir()
    (tmp_path / "fused" / "thesis.tex").touch()
    assert claim(tmp_path, "a") == tmp_path / "fused-2"


def test_an_unfinished_run_of_another_version_is_left_as_it_is_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = tmp_path / "fused"
    old.mkdir()
    (old / "fingerprint").write_text("of version 0.1.0")  # which recorded no version
    with caplog.at_level(logging.WARNING):
        assert claim(tmp_path, "a") == tmp_path / "fused-2"
    (line,) = caplog.messages
    assert line.startswith(f"{old} was begun by version 0.1.0 and is not resumed by version {__version__}: ")
    assert {path.name: path.read_text() for path in old.iterdir() if path.name != "lock"} == {
        "fingerprint": "of version 0.1.0"
    }
    assert begun_by(tmp_path / "fused-2") == __version__


@pytest.mark.parametrize("state", ["done", "of this version"])
def test_a_finished_run_and_another_run_of_this_version_need_no_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, state: str
) -> None:
    old = claim(tmp_path, "b")
    if state == "done":
        (old / "version").unlink()
        mark_done(old)
    with caplog.at_level(logging.WARNING):
        assert claim(tmp_path, "a") == tmp_path / "fused-2"
    assert caplog.messages == []


def test_branches_of_another_version_are_named_once_until_this_version_has_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("gru-aaaaaaaaaaaaaaaa", "gru-aaaaaaaaaaaaaaaa-12345678", "gru-large-bbbbbbbbbbbbbbbb"):
        (tmp_path / name).mkdir()
    (tmp_path / "gru-cccccccccccccccc").mkdir()
    (tmp_path / "gru-cccccccccccccccc" / "version").write_text(f"{__version__}\n")
    wanted = tmp_path / "gru-dddddddddddddddd"
    with caplog.at_level(logging.WARNING):
        warn_of_other_versions([wanted])
        wanted.mkdir()
        warn_of_other_versions([wanted])
    (line,) = caplog.messages
    assert line.startswith(f"{tmp_path / 'gru-aaaaaaaaaaaaaaaa'} (and 1 more) was trained by version 0.1.0")


def test_a_file_in_the_place_of_the_runs_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(EmorecError, match=r"a folder for runs that can be written; found .*runs"):
        claim(tmp_path / "runs", "a")


def test_a_failed_write_leaves_the_old_text(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(tmp_path / "a", "\ud800")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
