"""A sweep over a stand-in of `fit`, which takes milliseconds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lightning_emorec.commands.sweep import trial
from lightning_emorec.commands.sweep.file import SweepFile, read_sweep
from lightning_emorec.commands.sweep.study import SharedStudy

METRIC = "val/emotion/uar"

FIT = """
import sys, time
from pathlib import Path

EPOCHS = 3
given = dict(arg.lstrip("-").split("=") for arg in sys.argv[1:] if "=" in arg)
words = sys.argv[1:]
folder = Path(words[words.index("--runs") + 1]) / words[words.index("--name") + 1]
began = folder / "began-as"
if began.is_file() and began.read_text() != given["x"]:
    folder = folder.with_name("run-2")
folder.mkdir(parents=True, exist_ok=True)
(folder / "starts").open("a").write("x")
lines = ["name: trial", "test_after_fit: false", f"x: {given['x']}", f"trainer: {{max_epochs: {EPOCHS}}}"]
(folder / "config.yaml").write_text("\\n".join(lines))
x = float(given["x"])
if x == 13:
    sys.exit("error: expected luck; found 13; choose another x")
metrics = folder / "metrics.csv"
if not metrics.is_file():
    metrics.write_text("epoch,val/emotion/uar\\n")
if x != 12:
    for epoch in range(EPOCHS):
        metrics.open("a").write(f"{epoch},{x / 100 + epoch / 1000}\\n")
        time.sleep(float(given.get("nap", 0)))
    if x == 11:
        time.sleep(60)  # until it is stopped
    metrics.open("a").write(f"{epoch + 1},{x / 100}\\n")
(folder / "done").touch()
"""


@pytest.fixture
def sweep_file(tmp_path: Path) -> Callable[..., SweepFile]:
    """Write a sweep file and read it; keywords replace parts of it."""

    def write(**changes: Any) -> SweepFile:
        content = {
            "name": "tiny",
            "method": "grid",
            "metric": {"name": METRIC, "goal": "maximize"},
            "command": [
                "${env}",
                "${interpreter}",
                "-m",
                "lightning_emorec",
                "fit",
                "--config",
                "c.yaml",
                "${args}",
            ],
            "parameters": {"x": {"values": [10, 30, 20]}},
        } | changes
        path = tmp_path / "tiny.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf8")
        return read_sweep(path)

    return write


@pytest.fixture
def shared(tmp_path: Path, sweep_file: Callable[..., SweepFile]) -> Callable[..., SharedStudy]:
    """Open the sweep's study, as each process does."""

    def opened(trials: int = 10, sampler: Any = "grid", **changes: Any) -> SharedStudy:
        return SharedStudy(tmp_path / "runs", "tiny", sweep_file(**changes), [], sampler, trials, 1)

    return opened


@pytest.fixture(autouse=True)
def _stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "fit.py"
    script.write_text(FIT, encoding="utf8")
    monkeypatch.setattr(trial, "fit_command", lambda *arguments: [sys.executable, str(script), *arguments])
