from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel
from torch.utils.data import DataLoader

from lightning_emorec.callbacks.averaging import AveragedWeights, averaged
from lightning_emorec.errors import EmorecError


def test_in_the_long_run_a_step_keeps_the_decay() -> None:
    before, now = torch.tensor([1.0]), torch.tensor([0.0])
    torch.testing.assert_close(averaged(0.9, before, now, steps=10_000), torch.tensor([0.9]))


def test_a_short_training_forgets_its_random_start() -> None:
    average = torch.tensor([100.0])
    for steps in range(1, 60):
        average = averaged(0.997, average, torch.tensor([1.0]), steps)
    assert average.item() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_out_of_range_is_refused(decay: float) -> None:
    with pytest.raises(EmorecError, match=r"decay in \[0, 1\)"):
        AveragedWeights(decay)


def test_a_training_that_goes_on_from_a_checkpoint_ends_with_the_same_average(tmp_path: Path) -> None:
    straight, resumed = BoringModel(), BoringModel()
    resumed.load_state_dict(straight.state_dict())
    clips = DataLoader(torch.randn(12, 32), batch_size=4)  # type: ignore[arg-type]
    fit(straight, clips, tmp_path / "straight.ckpt", epochs=2)
    fit(resumed, clips, tmp_path / "first.ckpt", epochs=1)
    fit(resumed, clips, tmp_path / "second.ckpt", epochs=2, begin=tmp_path / "first.ckpt")
    last_step = torch.load(tmp_path / "second.ckpt", weights_only=True)["current_model_state"]
    for name, average in straight.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], average, rtol=0, atol=0)
        assert not torch.equal(last_step[name], average)


def fit(
    model: BoringModel, clips: DataLoader[Any], checkpoint: Path, epochs: int, begin: Path | None = None
) -> None:
    """Train, and keep the checkpoint of the end."""
    kept = ModelCheckpoint(checkpoint.parent, checkpoint.stem, save_on_train_epoch_end=True)
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[AveragedWeights(0.9), kept],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )
    trainer.fit(model, clips, ckpt_path=begin)
