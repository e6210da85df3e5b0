from __future__ import annotations

import signal
import sys
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher

from lightning_emorec.distributed.process_group import end_started, keep_handlers, rank_arguments

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class Handlers(Callback):
    """Keeps what would handle each signal while a model trains."""

    seen: list[Any]

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.seen = [signal.getsignal(which) for which in SIGNALS]


def train(folder: Path, keep: bool) -> list[Any]:
    handlers = Handlers()
    trainer = Trainer(
        fast_dev_run=1,
        accelerator="cpu",
        default_root_dir=folder,
        callbacks=[handlers],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    if keep:
        keep_handlers(trainer)
    trainer.fit(BoringModel())
    return handlers.seen


def test_a_run_leaves_the_handlers_of_the_process(tmp_path: Path) -> None:
    ours = [signal.getsignal(which) for which in SIGNALS]
    assert train(tmp_path, keep=True) == ours
    assert train(tmp_path, keep=False) != ours  # once this fails, Lightning needs no keeping away


def test_the_ranks_that_lightning_started_end_and_are_no_longer_watched() -> None:
    trainer = Trainer(accelerator="cpu", devices=2, strategy="ddp", logger=False, enable_checkpointing=False)
    launcher = trainer.strategy.launcher
    assert isinstance(launcher, _SubprocessScriptLauncher)
    rank = Popen(["sleep", "60"])
    launcher.procs = watched = [rank]
    end_started(trainer)
    assert rank.wait(timeout=10) == -signal.SIGKILL
    assert not watched


@pytest.mark.parametrize(("devices", "appended"), [(2, ["--plan", "a"]), (1, [])])
def test_ranks_that_lightning_starts_get_further_arguments(
    monkeypatch: pytest.MonkeyPatch, devices: int, appended: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["main", "fit"])
    strategy = "ddp" if devices > 1 else "auto"
    trainer = Trainer(
        accelerator="cpu", devices=devices, strategy=strategy, logger=False, enable_checkpointing=False
    )
    with rank_arguments(trainer, "--plan", "a"):
        assert sys.argv == ["main", "fit", *appended]
    assert sys.argv == ["main", "fit"]
