from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.errors import EmorecError
from lightning_emorec.runs.folder import claim_run_folder, mark_done


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


def test_a_file_in_the_place_of_the_runs_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(EmorecError, match=r"a folder for runs that can be written; found .*runs"):
        claim(tmp_path / "runs", "a")


def test_a_failed_write_leaves_the_old_text(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(tmp_path / "a", "\ud800")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
