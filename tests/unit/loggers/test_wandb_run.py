from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb

from lightning_emorec.errors import EmorecError, UnavailableError
from lightning_emorec.loggers.wandb_run import WandbRun, check_logger, flat
from tests import wandb_file

SPEC = {"class_path": "lightning_emorec.loggers.WandbRun", "init_args": {"offline": False}}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SILENT", "true")
    for name in ("WANDB_MODE", "WANDB_SWEEP_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module", autouse=True)
def _service() -> Iterator[None]:
    yield
    wandb.teardown()


def offline(folder: Path, config: dict[str, Any] | None = None) -> WandbRun:
    logger = WandbRun(offline=True)
    folder.mkdir(exist_ok=True)
    logger.place(folder, config or {})
    return logger


def asked(monkeypatch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    """What a run asks of `wandb.init`."""
    seen: dict[str, Any] = {}

    def init(**given: Any) -> Any:
        seen.update(given)
        raise wandb.Error("not here")

    monkeypatch.setattr(wandb, "init", init)
    logger = WandbRun(project="mine", entity="us")
    logger.place(folder, {})
    with pytest.raises(EmorecError, match="found not here; run `wandb login`"):
        logger.log_metrics({"loss": 1.0})
    return seen


def test_a_config_is_named_as_on_the_command_line() -> None:
    config = {"model": {"init_args": {"lr": 0.1, "tasks": {}}}, "seed_everything": 1}
    assert dict(flat(config)) == {
        "model.init_args.lr": 0.1,
        "model.init_args.tasks": {},
        "seed_everything": 1,
    }


def test_a_run_lies_in_the_run_folder_under_its_name(tmp_path: Path) -> None:
    logger = offline(tmp_path / "fused-2", {"seed_everything": 7})
    logger.log_metrics({"val/pitch/uar": 0.5}, step=3)
    logger.end()
    assert logger.experiment.name == "fused-2"
    assert wandb_file.config(tmp_path / "fused-2") == {"seed_everything": 7}
    (row,) = wandb_file.history(tmp_path / "fused-2")
    assert (row["val/pitch/uar"], row["trainer/global_step"]) == (0.5, 3)


def test_runs_in_one_process_are_apart(tmp_path: Path) -> None:
    loggers = [offline(tmp_path / name, {"name": name}) for name in ("one", "two")]
    for loss, logger in enumerate(loggers):
        logger.log_metrics({"loss": float(loss)})
    for logger in loggers:
        logger.end()
    assert [wandb_file.config(tmp_path / name)["name"] for name in ("one", "two")] == ["one", "two"]
    assert [row["loss"] for name in ("one", "two") for row in wandb_file.history(tmp_path / name)] == [0, 1]


@pytest.mark.parametrize(
    ("error", "code"),
    [(None, 0), (ValueError(), 1), (KeyboardInterrupt(), 130), (SystemExit(3), 3), (SystemExit("x"), 1)],
)
def test_a_run_ends_as_its_command_does(tmp_path: Path, error: BaseException | None, code: int) -> None:
    logger = offline(tmp_path)
    logger.log_metrics({"loss": 1.0})
    logger.end(type(error), error)
    logger.end()
    assert wandb_file.exit_code(tmp_path) == code


def test_a_run_that_logged_nothing_leaves_nothing(tmp_path: Path) -> None:
    offline(tmp_path).end()
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_goes_on_under_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other").mkdir()
    ids = [asked(monkeypatch, folder)["id"] for folder in (tmp_path, tmp_path, tmp_path / "other")]
    assert ids[0] == ids[1] != ids[2]


def test_under_an_agent_the_agent_decides_project_and_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(monkeypatch, tmp_path)["project"] == "mine"
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    assert {"project", "entity", "id"}.isdisjoint(asked(monkeypatch, tmp_path))


def test_a_missing_package_is_reported_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_emorec.loggers.wandb_run.find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match=r"expected the package wandb.*\[wandb\]"):
        check_logger([SPEC])


def test_a_missing_login_is_reported_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def login() -> None:
        raise wandb.errors.UsageError("No API key configured.")

    monkeypatch.setattr(wandb, "login", login)
    with pytest.raises(EmorecError, match="found No API key configured"):
        check_logger(SPEC)


@pytest.mark.parametrize("knob", ["config", "environment"])
def test_offline_needs_no_login(knob: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wandb, "login", lambda: pytest.fail("asked"))
    if knob == "environment":
        monkeypatch.setenv("WANDB_MODE", "offline")
    check_logger({**SPEC, "init_args": {"offline": knob == "config"}})


def test_other_loggers_ask_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wandb, "login", lambda: pytest.fail("asked"))
    for logger in (None, True, False, [{"class_path": "lightning.pytorch.loggers.CSVLogger"}]):
        check_logger(logger)
