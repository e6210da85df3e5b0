"""The built wheel in an environment of its own, used from a folder that holds nothing."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

from lightning_emorec import __version__
from lightning_emorec.__main__ import main
from lightning_emorec.commands.sweep.file import read_sweep
from tests.cli.installed import ROOT, Installed, build_wheel, install
from tests.conftest import CONFIGS


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Torch and the other dependencies come from the environment of the tests."""
    folder = tmp_path_factory.mktemp("install")
    found = install(build_wheel(folder), folder / "venv")
    # Files with .pth of a folder that is added in this way are not read: an editable install stays out.
    (found.packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf8")
    return found


def test_the_wheel_holds_every_file_of_the_package_and_all_configs(installed: Installed) -> None:
    names = set(ZipFile(installed.wheel).namelist())
    source = {
        path.relative_to(ROOT).as_posix()
        for pattern in ("*.py", "*.j2", "*.css", "*.yaml", "py.typed")
        for path in (ROOT / "lightning_emorec").rglob(pattern)
    }
    configs = {
        f"lightning_emorec/{path.relative_to(ROOT).as_posix()}"
        for folder in ("configs", "sweeps")
        for path in (ROOT / folder).rglob("*.yaml")
    }
    assert {name for name in names if ".dist-info/" not in name} == source | configs


def test_the_command_is_installed_with_the_package(installed: Installed, tmp_path: Path) -> None:
    version = installed.run(tmp_path, "lightning-emorec", "--version")
    assert (version.returncode, version.stdout) == (0, f"lightning-emorec {__version__}\n")
    assert "usage: lightning-emorec" in installed.run(tmp_path, "lightning-emorec").stdout
    code = "import lightning_emorec; print(lightning_emorec.__file__)"
    assert Path(installed.run(tmp_path, "python", "-c", code).stdout).is_relative_to(installed.bin.parent)


@pytest.mark.slow
def test_the_demo_is_fitted_from_an_empty_folder(installed: Installed, tmp_path: Path) -> None:
    own = {"data": {"corpus": "configs/corpus/synthetic.yaml", "split": "configs/split/kfold.yaml"}}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(own), encoding="utf8")
    done = installed.run(
        tmp_path,
        *("lightning-emorec", "fit", "--config", "configs/demo.yaml", "--config=own.yaml"),
        *("--trainer", "configs/trainer/smoke.yaml", "--trainer.max_epochs=0"),
        *("--model.init_args.rule=configs/fusion/average.yaml", "--model.init_args.branches.audio_cnn=skip"),
        "--model.init_args.overrides.transcript_gru.trainer.max_epochs=1",
        *("--data.corpus.init_args.actors=5", "--data.corpus.init_args.repetitions=1"),
        "--data.split.init_args.val_actors=1",
    )
    assert done.returncode == 0, done.stderr
    config = yaml.safe_load((tmp_path / "runs" / "demo" / "config.yaml").read_text(encoding="utf8"))
    assert config["data"]["split"]["init_args"]["folds"] == 5
    assert (tmp_path / "runs" / "demo" / "metrics.json").is_file()


@pytest.mark.slow
def test_crossval_finds_the_config_from_an_empty_folder(installed: Installed, tmp_path: Path) -> None:
    small = ("--data.corpus.init_args.actors=4", "--data.corpus.init_args.repetitions=1")
    crossval = ("lightning-emorec", "crossval", "--config", "configs/demo.yaml", "--folds=2", "--inner=0")
    done = installed.run(tmp_path, *crossval, "--val_actors=1", "--only_fold=9", "--", *small)
    assert done.stderr.splitlines()[-1] == "error: expected a fold in 0..1; found 9; set --only_fold"


def test_sweep_reads_its_file_from_an_empty_folder(installed: Installed, tmp_path: Path) -> None:
    sweep = ("lightning-emorec", "sweep", "sweeps/audio_cnn.yaml", "--sampler", "grid")
    assert "a range for model.init_args.lr" in installed.run(tmp_path, *sweep).stderr


def resolved(*args: str) -> dict[str, Any]:
    with pytest.raises(SystemExit) as stop:
        main(["fit", *args, "--resolve_to", "resolved.yaml"])
    assert stop.value.code == 0
    config: dict[str, Any] = yaml.safe_load(Path("resolved.yaml").read_text(encoding="utf8"))
    return config


def test_a_config_of_the_user_names_branches_by_the_paths_of_installed_configs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = {
        "class_path": "FusionModule",
        "init_args": {
            "branches": {"audio_cnn": "configs/branch/audio_cnn.yaml"},
            "overrides": {"audio_cnn": {"data.augment": "configs/augment/wide.yaml"}},
        },
    }
    data = {"corpus": "configs/corpus/synthetic.yaml", "split": "configs/split/kfold.yaml"}
    own = {"model": model, "data": data}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(own), encoding="utf8")
    branch = resolved("--config", "own.yaml")["model"]["init_args"]["branches"]["audio_cnn"]
    assert yaml.safe_load((CONFIGS / "augment" / "wide.yaml").read_text())[0]["class_path"] in str(
        branch["data"]
    )


def test_the_command_of_a_sweep_file_names_installed_configs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sweep = read_sweep(ROOT / "sweeps" / "fusion.yaml")
    branches = [name for name in sweep.space if ".branches." in name]
    values = dict.fromkeys(branches[1:], "skip") | {branches[0]: "configs/branch/egemaps_cnn.yaml"}
    config = resolved(*sweep.arguments(values))  # as `wandb agent` and `sweep` call `fit`
    assert set(config["model"]["init_args"]["branches"]) == {"audio_cnn", "egemaps_cnn"}


def test_a_config_of_the_user_wins_and_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "configs" / "split" / "seed.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("{class_path: ActorLists, init_args: {test: [1], val: [2]}}", encoding="utf8")
    branch = ("--config", "configs/branch/audio_cnn.yaml")
    given = resolved(*branch, "--data.split", "configs/split/seed.yaml")["data"]["split"]["init_args"]
    assert given["test"] == [1]
    assert (
        resolved(*branch, "--data.split=configs/split/kfold.yaml")["data"]["split"]["init_args"]["folds"] == 5
    )
