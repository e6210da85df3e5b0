"""What a user names, what is found already, and who does what."""

from __future__ import annotations

import json
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from lightning_emorec.errors import EmorecError
from lightning_emorec.recognition.find_model import find_model
from lightning_emorec.recognition.journal import Journal
from lightning_emorec.recognition.labelling import rank_and_world
from lightning_emorec.recognition.segment import Segment
from lightning_emorec.recognition.sources import Source, sources_of

SEGMENT = Segment("a.wav", 0.0, 1.5, "happy", 0.5, {"happy": 0.5, "sad": 0.5}, ["happy"], True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.wav", "a.WAV", "notes.txt", "deep/er/c.m4a"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*paths: str, table: str | None = None) -> list[str]:
    return [source.name for source in sources_of(paths, table)]


def test_folders_are_searched_and_files_taken_as_they_are(folder: Path) -> None:
    assert names(".") == ["a.WAV", "b.wav", "deep/er/c.m4a"]
    assert names("notes.txt") == ["notes.txt"]
    assert names("*.wav", "**/*.m4a") == ["b.wav", "deep/er/c.m4a"]
    assert names("b.wav", "*.wav") == ["b.wav"]


def test_a_name_with_brackets_is_no_pattern_if_there_is_such_a_file(folder: Path) -> None:
    (folder / "take [1].wav").touch()
    assert names("take [1].wav") == ["take [1].wav"]


@pytest.mark.parametrize(
    ("paths", "message"),
    [((), "recordings to label"), (("*.flac",), "none for"), (("empty",), "recordings .* in empty")],
)
def test_nothing_to_label_is_told(folder: Path, paths: tuple[str, ...], message: str) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(EmorecError, match=message):
        names(*paths)


def test_a_table_names_stretches_speakers_and_texts(folder: Path) -> None:
    (folder / "deep" / "list.csv").write_text(
        "path;start;end;speaker;text\ner/c.m4a;0,5;2;A;hello\n".replace(",5", ".5")
    )
    (found,) = sources_of([], "deep/list.csv")
    assert found == Source("er/c.m4a", Path("deep/er/c.m4a"), None, 0.5, 2.0, "A", "hello")


def test_a_table_without_paths_is_refused(folder: Path) -> None:
    (folder / "list.csv").write_text("file\na.wav\n")
    with pytest.raises(EmorecError, match=r"path.*--list"):
        sources_of([], "list.csv")


def test_standard_input_is_a_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"RIFF")))
    (found,) = sources_of(["-"])
    assert found.name == "stdin"
    assert isinstance(found.audio, BytesIO)


def test_the_digest_follows_content_and_question(folder: Path) -> None:
    first = Source("b.wav", Path("b.wav"))
    assert first.digest == Source("renamed", Path("b.wav")).digest
    assert first.digest != Source("b.wav", Path("b.wav"), start=1.0).digest
    assert Source("stdin", BytesIO(b"1")).digest != Source("stdin", BytesIO(b"2")).digest
    with pytest.raises(EmorecError, match="No such file"):
        _ = Source("x", Path("x.wav")).digest


def test_a_journal_gives_back_what_was_found(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.add("1", [SEGMENT])
    assert Journal(tmp_path / "j").get("1") == [SEGMENT]
    assert Journal(tmp_path / "j").get("2") is None


def test_a_line_that_was_cut_off_is_judged_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.add("1", [SEGMENT])
    journal.add("2", [SEGMENT])
    part = tmp_path / "j.0"
    part.write_text(part.read_text()[:-20])
    again = Journal(tmp_path / "j")
    assert (again.get("1"), again.get("2")) == ([SEGMENT], None)


def test_the_process_that_is_through_last_puts_the_parts_together(tmp_path: Path) -> None:
    first, second = Journal(tmp_path / "j", 0), Journal(tmp_path / "j", 1)
    first.add("1", [SEGMENT])
    assert not first.merge(["1", "2", "3"])
    second.add("2", [SEGMENT])
    second.fail("3", "no audio")
    assert second.merge(["1", "2", "3"])
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["j"]
    assert [json.loads(line)["digest"] for line in (tmp_path / "j").read_text().splitlines()] == ["1", "2"]
    assert Journal(tmp_path / "j").get("1") == [SEGMENT]


def test_what_nobody_asks_for_any_more_is_dropped(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.add("1", [SEGMENT])
    journal.add("2", [SEGMENT])
    journal.merge(["2"])
    assert Journal(tmp_path / "j").get("1") is None


@pytest.mark.parametrize("names", [("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS")])
def test_a_launcher_says_which_process_this_is(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, str]
) -> None:
    for name in ("RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    assert rank_and_world() == (0, 1)
    for name, value in zip(names, "13", strict=True):
        monkeypatch.setenv(name, value)
    assert rank_and_world() == (1, 3)


def run(runs: Path, name: str, done: bool = True) -> Path:
    checkpoint = runs / name / "checkpoints" / "best.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    if done:
        (runs / name / "done").touch()
    return checkpoint


def test_the_newest_finished_run_is_the_model(tmp_path: Path) -> None:
    run(tmp_path, "old")
    newest = run(tmp_path, "new")
    for name in ("branches/audio-1", "new-crossval/seed1-fold0", "sweeps/s/trial-1", "new-refit"):
        run(tmp_path, name)
    run(tmp_path, "unfinished", done=False)
    assert find_model(None, tmp_path) == newest


def test_a_model_is_named_by_run_folder_or_file(tmp_path: Path) -> None:
    checkpoint = run(tmp_path, "demo", done=False)
    for name in ("demo", str(tmp_path / "demo"), str(checkpoint)):
        assert find_model(name, tmp_path) == checkpoint
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / "model.onnx").touch()
    assert find_model("exported", tmp_path) == tmp_path / "exported"


def test_no_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match=r"a finished run; found none in .*`fit`"):
        find_model(None, tmp_path)
    with pytest.raises(EmorecError, match="--ckpt"):
        find_model("nothing", tmp_path)
