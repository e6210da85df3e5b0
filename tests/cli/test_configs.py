"""Every YAML of the repository, found by glob, parses in its slot."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lightning_emorec.__main__ import main
from tests.conftest import CONFIGS

RUNS = sorted(
    path
    for path in CONFIGS.rglob("*.yaml")
    if path.parent == CONFIGS or path.relative_to(CONFIGS).parts[0] in ("branch", "published")
)
SLOTS = {
    "corpus": "--data.corpus",
    "split": "--data.split",
    "augment": "--data.augment",
    "fusion": "--model.init_args.rule",
    "trainer": "--trainer",
    "logger": "--trainer.logger",
}
FRAGMENTS = [path for slot in SLOTS for path in sorted((CONFIGS / slot).rglob("*.yaml"))]


def name_of(path: Path) -> str:
    return path.relative_to(CONFIGS).as_posix()


def parse(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(["fit", *args, "--print_config"])
    printed = capsys.readouterr()
    assert stop.value.code == 0, printed.err
    return printed.out


def test_every_config_is_a_run_or_has_a_slot() -> None:
    assert set(CONFIGS.rglob("*.yaml")) == {*RUNS, *FRAGMENTS}


@pytest.mark.parametrize("path", RUNS, ids=name_of)
def test_a_run_parses_and_begins_with_its_command(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = path.read_text(encoding="utf8").splitlines()[0]
    assert first == f"# python -m lightning_emorec fit --config configs/{name_of(path)}"
    parse(capsys, "--config", str(path))


@pytest.mark.parametrize("path", FRAGMENTS, ids=name_of)
def test_a_fragment_parses_in_its_slot(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slot = SLOTS[path.relative_to(CONFIGS).parts[0]]
    printed = parse(capsys, "--config", str(CONFIGS / "fused.yaml"), slot, str(path))
    value = yaml.safe_load(path.read_text(encoding="utf8"))
    if isinstance(value, dict) and "class_path" in value:
        assert value["class_path"].rpartition(".")[2] in printed
