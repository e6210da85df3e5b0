from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "branches.py"


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("branches", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "some.yaml"
    path.write_text("name: some\n")
    return path


def leave(runs: Path, seed: int, accuracy: float) -> None:
    """What a finished run leaves."""
    scores = {"accuracy": accuracy, "uar": 0.5, "macro_f1": 0.25, "weighted_f1": 0.125}
    metrics = {"test": {"emotion": scores}, "parameters": 12345, "seconds": {"fit": 2.0 * seed}}
    folder = runs / f"some-seed{seed}"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "done").touch()


def test_finished_runs_are_not_fitted_again_and_make_a_row(
    script: ModuleType,
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    leave(tmp_path / "runs", 1, 0.4)
    leave(tmp_path / "runs", 2, 0.6)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("nothing is left to fit"))
    monkeypatch.setattr(
        sys, "argv", ["branches.py", str(config), "--seeds", "1", "2", "--runs", str(tmp_path / "runs")]
    )
    script.main()
    row = capsys.readouterr().out.splitlines()[-1]
    assert row == (
        f"| `{config.as_posix()}` | – / – / – / – | 50.0 ± 14.1 / 50.0 ± 0.0 / 25.0 ± 0.0 / 12.5 ± 0.0 | 12,345 | 2 |"
    )


def test_what_is_missing_is_fitted_with_the_further_arguments(
    script: ModuleType, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    def run(command: list[str], check: bool) -> None:
        started.append(command)
        leave(tmp_path / "runs", 3, 1.0)

    monkeypatch.setattr(subprocess, "run", run)
    arguments = [
        str(config),
        "--seeds",
        "3",
        "--runs",
        str(tmp_path / "runs"),
        "--",
        "--data.batch_size",
        "8",
    ]
    monkeypatch.setattr(sys, "argv", ["branches.py", *arguments])
    script.main()
    (command,) = started
    assert command[1:4] == ["-m", "lightning_emorec", "fit"]
    assert {"--data.batch_size", "--seed_everything=3", "--name=some-seed3", "--score_training=true"} <= set(
        command
    )
