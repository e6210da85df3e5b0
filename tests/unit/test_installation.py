"""Where configs and sweep files are found that are not in the working directory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lightning_emorec.config_loader import load_config
from lightning_emorec.installation import command_name, installed_path, with_installed_paths
from tests.conftest import CONFIGS

DEMO, SEED = "configs/demo.yaml", "configs/split/seed.yaml"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def installed(text: str) -> str:
    path = CONFIGS.parent / text
    assert path.is_file()
    return str(path)


@pytest.mark.parametrize("text", [DEMO, SEED, "sweeps/fusion.yaml"])
def test_what_is_not_here_is_taken_from_the_installation(text: str) -> None:
    assert installed_path(text) == installed(text)


def test_a_file_of_the_user_wins() -> None:
    Path("configs").mkdir()
    Path(DEMO).write_text("name: mine", encoding="utf8")
    assert installed_path(DEMO) == DEMO


def test_a_folder_of_the_user_without_that_file_hides_nothing() -> None:
    Path("configs/split").mkdir(parents=True)
    assert installed_path(SEED) == installed(SEED)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "configs/none.yaml",
        "configs",
        "configs/split",
        "/configs/demo.yaml",
        "demo.yaml",
        "configs/\0.yaml",
    ],
)
def test_anything_else_stays(text: str) -> None:
    assert installed_path(text) == text


def test_a_command_line_names_configs_as_values_and_after_an_equals_sign() -> None:
    args = [
        "fit",
        "--config",
        DEMO,
        f"--data.split={SEED}",
        "--trainer.max_epochs=1",
        "-c",
        "configs/none.yaml",
    ]
    changed = ["fit", "--config", installed(DEMO), f"--data.split={installed(SEED)}", *args[4:]]
    assert with_installed_paths(args) == changed


def test_arguments_of_other_processes_stay() -> None:
    args = ["sweep", "sweeps/fusion.yaml", "--", "--data.split", SEED]
    assert with_installed_paths(args) == ["sweep", installed("sweeps/fusion.yaml"), *args[2:]]


@pytest.mark.parametrize("written", [["--resolve_to", DEMO], [f"--resolve_to={DEMO}"]])
def test_an_installed_config_is_never_written(written: list[str]) -> None:
    assert with_installed_paths(["fit", *written]) == ["fit", *written]


def test_a_config_names_others_at_any_depth() -> None:
    text = f"data: {{split: {SEED}, list: [{DEMO}, 1, none.yaml]}}\n{SEED}: 2"
    assert load_config(text) == {
        "data": {"split": installed(SEED), "list": [installed(DEMO), 1, "none.yaml"]},
        SEED: 2,
    }


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("/venv/bin/lightning-emorec", "lightning-emorec"),
        ("/x/lightning_emorec/__main__.py", "python -m lightning_emorec"),
    ],
)
def test_the_command_has_the_name_it_was_started_by(
    script: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [script, "fit"])
    assert command_name() == name
