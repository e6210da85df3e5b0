"""A disk that is full at any write: one line, nothing half written, and the same command goes on."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Project, make_project
from tests.cli.test_errors import error_of
from tests.cli.test_resume import epochs

ROOM_BYTES = 100
"""Enough for a beginning of each file."""


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, tones: Path) -> bytes:
    """The predictions of a run that nothing disturbs."""
    project = make_project(tmp_path_factory.mktemp("straight"), tones)
    project.run("fit", "--config", project.config("text"))
    return (project.runs / "text" / "predictions.csv").read_bytes()


def fill_disk(monkeypatch: pytest.MonkeyPatch, target: str, file: str, time: int) -> None:
    """Let the operating system refuse to write more than the beginning of a file, the `time`-th time it is due."""
    owner, _, name = target.rpartition(".")
    module = import_module(owner)  # by its name: a function may be exported under the same
    write: Callable[..., Any] = getattr(module, name)
    due = 0

    @contextmanager
    def room_for(path: Any) -> Iterator[None]:
        nonlocal due
        due += Path(path).name == file
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        if Path(path).name == file and due == time:
            resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM_BYTES, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    @contextmanager
    def limited_file(path: Any) -> Iterator[Any]:
        with room_for(path), write(path) as opened:
            yield opened

    def limited_write(path: Any, content: Any) -> None:
        with room_for(path):
            write(path, content)

    limited = limited_file if name == "whole_file" else limited_write
    monkeypatch.setattr(module, name, limited)


@pytest.mark.parametrize(
    ("target", "file", "time"),
    [
        ("lightning_emorec.runs.planning.write_atomically", "config.yaml", 1),
        ("lightning_emorec.part_logits.whole_file", "last.ckpt", 2),
        ("lightning_emorec.part_logits.whole_file", "val.pt", 1),
        ("lightning_emorec.evaluation.writers.write_atomically", "predictions.csv", 1),
        ("lightning_emorec.evaluation.report.write_atomically", "report.html", 1),
    ],
)
def test_a_full_disk_at_a_write_loses_nothing_that_was_there(
    project: Project,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    straight: bytes,
    target: str,
    file: str,
    time: int,
) -> None:
    with monkeypatch.context() as patch:
        fill_disk(patch, target, file, time)
        said = error_of(project, capsys, "fit", "--config", project.config("text"))
    line = said.strip().splitlines()[-1]
    assert line.startswith("error: expected free space on the disk; found none for ")
    assert file in line
    assert not [path for path in project.runs.rglob("*") if "unfinished" in path.name]
    assert (project.runs / "text" / "checkpoints" / "last.ckpt").is_file() == (file != "config.yaml")

    project.run("fit", "--config", project.config("text"))
    assert (project.runs / "text" / "predictions.csv").read_bytes() == straight
    assert [path.name for path in project.runs.iterdir()] == ["text"]


def test_a_full_disk_leaves_no_half_row_in_metrics_csv(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, straight: bytes
) -> None:
    from lightning_emorec.loggers.metrics_csv import _AppendingWriter

    save = _AppendingWriter.save

    def limited(self: _AppendingWriter) -> None:
        file = Path(self.metrics_file_path)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        if file.is_file() and epochs(file.parent) and self.metrics:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 5, before[1]))
        try:
            save(self)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    with monkeypatch.context() as patch:
        patch.setattr(_AppendingWriter, "save", limited)
        said = error_of(project, capsys, "fit", "--config", project.config("text"))
    assert "found none for " in said
    assert "metrics.csv" in said
    assert epochs(project.runs / "text") == [0]
    project.run("fit", "--config", project.config("text"))
    assert epochs(project.runs / "text") == [0, 1]
    assert (project.runs / "text" / "predictions.csv").read_bytes() == straight


@pytest.mark.parametrize(
    ("full", "room_kb", "told"),
    [("runs", 600, "found none for "), ("cache", 60, "found a full disk")],
)
def test_a_disk_that_is_really_full_is_one_line(
    project: Project, tmp_path: Path, full: str, room_kb: int, told: str
) -> None:
    (disk := tmp_path / "disk").mkdir()
    mount = f"mount -t tmpfs -o size={room_kb}k none {disk}"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("no disk of its own can be mounted here")
    places = {"runs": project.runs, "cache": tmp_path / "cache", full: disk}
    name = "text" if full == "runs" else "audio"
    fit = f"{sys.executable} -m lightning_emorec fit --config {project.config(name)} --runs {places['runs']}"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"{mount} && {{ {fit}; echo status $?; find {disk} -type f; }}"],
        env={**os.environ, "EMOREC_CACHE": str(places["cache"]), "OMP_NUM_THREADS": "1"},
        text=True,
        capture_output=True,
    )
    assert "status 2\n" in done.stdout, done.stderr
    assert "Traceback" not in done.stderr
    assert told in done.stderr.strip().splitlines()[-1]
    left = done.stdout.partition("status 2\n")[2]
    assert "unfinished" not in left
