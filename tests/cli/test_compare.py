"""`compare` on runs that were fitted."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_emorec.__main__ import main
from tests.cli.conftest import Project


def test_finished_runs_are_compared(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project.folder)
    for name in ("text", "audio"):
        project.run("fit", "--config", project.config(name))
    assert "intervals" in project.metrics("text")
    main(["compare", "text", str(project.runs / "audio"), "--part", "val", "--out", "pages/both.html"])
    page = Path("pages/both.html").read_text(encoding="utf8")
    assert "9 clips of 1 actor" in page
    assert "no intervals: all clips are of one actor" in page

    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["compare", "text", "nothing"])
    assert "error: expected the folder of a finished run, or its name" in capsys.readouterr().err


def test_compare_wants_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["compare"])
    assert "required: run" in capsys.readouterr().err
