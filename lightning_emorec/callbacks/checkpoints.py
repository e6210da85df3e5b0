"""When and how checkpoints are written, and the entries that are added to Lightning's."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, cast

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from lightning_emorec.branches import Branch
from lightning_emorec.checkpoint_file import FEATURES, RUN_CONFIG
from lightning_emorec.distributed.process_group import end_started
from lightning_emorec.inference import feature_keys
from lightning_emorec.part_logits import save_whole
from lightning_emorec.run_paths import last_checkpoint

log = logging.getLogger(__name__)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint to a temporary file and renames it: a killed run or a full disk keeps the old checkpoint."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Save atomically; Lightning's implementation would need space in /tmp too."""
        save_whole(checkpoint, Path(path))


class RunConfig(Callback):
    """Adds the run's config (`text`, as YAML) to each checkpoint, so that `test --ckpt_path FILE` needs nothing else.

    Also adds the keys of the features, as the config may leave the choice of Whisper's weights to the environment.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the config and the feature keys."""
        checkpoint[RUN_CONFIG] = self.text
        checkpoint[FEATURES] = feature_keys(cast(Branch, pl_module))


class LastCheckpoint(ModelCheckpoint):
    """Writes `last.ckpt` at the end of each epoch, and logs from which epoch a stopped run will continue.

    It is not written within an epoch: a checkpoint holds no state of random generators, so that only a whole epoch
    can be repeated exactly. A separate class, because a `ModelCheckpoint` with a monitor writes its `save_last` only
    when there is a new best (lightning 2.6.6).

    Args:
        folder: The run folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(
            dirpath=folder / "checkpoints",
            filename="last",
            enable_version_counter=False,
            save_on_train_epoch_end=True,
        )
        self._file = str(last_checkpoint(folder))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Do not resume a run that ended by early stopping, which Lightning 2.6.6 would train further.

        A checkpoint given by --ckpt_path is still trained further.
        """
        super().on_train_start(trainer, pl_module)
        stopping = [of for of in trainer.callbacks if isinstance(of, EarlyStopping)]  # type: ignore[attr-defined]
        if trainer.ckpt_path == self._file and any(
            0 < of.stopped_epoch == trainer.current_epoch - 1 for of in stopping
        ):
            trainer.should_stop = True

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """After an interrupt, end the ranks that this process started, and log which epoch will be repeated."""
        super().on_exception(trainer, pl_module, exception)
        if not isinstance(exception, KeyboardInterrupt):
            return
        end_started(trainer)
        if trainer.training:
            epoch = trainer.current_epoch + 1
            log.warning("stopped in epoch %d of %s, which will begin again", epoch, trainer.max_epochs)
