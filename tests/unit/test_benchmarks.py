from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where a dataclass looks for its types
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def script() -> ModuleType:
    return load("branches")


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


def costs(set_up_mb: float) -> dict[str, object]:
    """What a measured process leaves."""
    peaks = {"set-up": set_up_mb, "steps": set_up_mb + 20, "judging": set_up_mb + 40}
    return {
        "costs": {stage: {"wall_s": 1.5, "cpu_s": 2.0, "peak_mb": peak} for stage, peak in peaks.items()},
        "growth_mb": 0.25,
    }


def test_the_growth_of_memory_is_told_for_each_thousand_clips() -> None:
    rows = [(1000, [costs(800), costs(790)]), (11_000, [costs(900), costs(820)])]
    *_, row, _, growth = load("memory").table(rows).splitlines()
    assert row == "| 11,000 | 1.5 / 2.0 / 900 | 1.5 / 2.0 / 820 | 1.5 / 2.0 / 840 | 1.5 / 2.0 / 860 | +0.2 |"
    assert growth == "MB for each further 1,000 clips: set-up 3.00, steps 3.00, judging 3.00"


def test_the_corpus_of_the_memory_benchmark_has_each_class_of_each_actor_and_no_file_twice(
    tmp_path: Path,
) -> None:
    config = yaml.safe_load(load("memory").make_corpus(tmp_path, 80, 200).read_text())
    with (tmp_path / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({(row["actor"], row["emotion"]) for row in rows}) == 80
    assert len({(tmp_path / row["path"]).read_bytes() for row in rows}) == 80
    assert config["trainer"]["limit_train_batches"] == 200
