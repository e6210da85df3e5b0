"""Shell scripts in place of `fit`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_emorec.jobs import pool
from lightning_emorec.jobs.child import Child, Work

Start = Callable[..., Child]


@pytest.fixture(autouse=True)
def _poll_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "POLL_S", 0.01)


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts a shell script in the background, unless the log is None."""

    def child(script: str, log: Path | None = tmp_path / "log", **options: object) -> Child:
        return Child(["sh", "-c", script], {"PATH": "/usr/bin:/bin"}, log, **options)  # type: ignore[arg-type]

    return child


@pytest.fixture
def task(start: Start) -> Callable[..., Callable[[object], Work[int]]]:
    """Makes a task of a script, whose result is its exit status."""

    def made(script: str) -> Callable[[object], Work[int]]:
        def work(environment: object) -> Work[int]:
            return (yield from start(script).until_ended())

        return work

    return made
