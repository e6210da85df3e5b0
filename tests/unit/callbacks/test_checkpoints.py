from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.demos.boring_classes import BoringModel

from lightning_emorec.callbacks.checkpoints import AtomicCheckpointIO, LastCheckpoint
from lightning_emorec.run_paths import last_checkpoint


def test_a_write_that_fails_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, file)
    with pytest.raises(Exception, match="pickle"):
        AtomicCheckpointIO().save_checkpoint({"epoch": lambda: 2}, file)
    assert torch.load(file) == {"epoch": 1}
    assert list(tmp_path.iterdir()) == [file]


class Model(BoringModel):
    """Notes its epochs, and is worse, or better, with each."""

    def __init__(self, better: bool) -> None:
        super().__init__()
        self.better = better
        self.begun: list[int] = []

    def on_train_epoch_start(self) -> None:
        self.begun.append(self.current_epoch)

    def on_validation_epoch_end(self) -> None:
        self.log("score", torch.tensor(float(self.current_epoch if self.better else -self.current_epoch)))


class Interrupt(LastCheckpoint):
    """As if the run were killed when an epoch's checkpoint is there."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        if trainer.current_epoch == 3:
            raise RuntimeError("killed")


def train(
    last: LastCheckpoint, patience: int, ckpt_path: Path | None = None, better: bool = False
) -> list[int]:
    """The epochs that are begun."""
    model = Model(better)
    trainer = Trainer(
        max_epochs=6,
        accelerator="cpu",
        limit_train_batches=1,
        limit_val_batches=1,
        num_sanity_val_steps=0,
        logger=False,
        callbacks=[EarlyStopping("score", patience=patience, mode="max"), last],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, ckpt_path=ckpt_path and str(ckpt_path), weights_only=True)
    return model.begun


def test_a_run_that_stopped_early_is_trained_no_further_when_it_is_resumed(tmp_path: Path) -> None:
    assert train(LastCheckpoint(tmp_path), patience=2) == [0, 1, 2]
    assert train(LastCheckpoint(tmp_path), 2, last_checkpoint(tmp_path)) == []


def test_a_run_killed_where_it_had_stopped_early_is_trained_no_further(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="killed"):
        train(Interrupt(tmp_path), patience=3)
    assert train(LastCheckpoint(tmp_path), 3, last_checkpoint(tmp_path)) == []


def test_a_run_killed_before_it_stopped_goes_on(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="killed"):
        train(Interrupt(tmp_path), patience=4)
    assert train(LastCheckpoint(tmp_path), 4, last_checkpoint(tmp_path)) == [4]


def test_a_run_that_begins_from_one_that_stopped_early_is_trained_and_resumed(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert train(LastCheckpoint(first), patience=2) == [0, 1, 2]
    with pytest.raises(RuntimeError, match="killed"):  # in the fourth epoch, the first of its own
        train(Interrupt(second), 2, last_checkpoint(first), better=True)
    assert train(LastCheckpoint(second), 2, last_checkpoint(second), better=True) == [4, 5]
