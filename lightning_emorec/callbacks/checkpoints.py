"""How and when checkpoints are written, and what they hold beside the model."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, cast

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from lightning_emorec.branches import Branch
from lightning_emorec.distributed.process_group import end_started
from lightning_emorec.inference import FEATURES, RUN_CONFIG, feature_keys
from lightning_emorec.part_logits import save_whole
from lightning_emorec.run_paths import last_checkpoint

log = logging.getLogger(__name__)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint under another name and renames it: a killed run or a full disk leaves the old one."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Save to `path` in one step; Lightning's own would need room in /tmp too."""
        save_whole(checkpoint, Path(path))


class RunConfig(Callback):
    """Puts the run's config into each checkpoint, so that `test --ckpt_path FILE` needs nothing else.

    And the keys of its features: the config may leave to the environment which Whisper is meant.

    Args:
        text: The config, as YAML.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add both."""
        checkpoint[RUN_CONFIG] = self.text
        checkpoint[FEATURES] = feature_keys(cast(Branch, pl_module))


class LastCheckpoint(ModelCheckpoint):
    """Writes `last.ckpt` at the end of each epoch, and logs where a run that is stopped will continue.

    It is not written within an epoch: a checkpoint holds no generator's state, so only what begins with an epoch
    can be drawn again. It is a class of its own, because a `ModelCheckpoint` with a monitor writes its `save_last`
    only when there is a new best (lightning 2.6.6).

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
        """Train no further when a run that had stopped early is continued, as Lightning 2.6.6 would.

        A checkpoint that the user names is trained further all the same.
        """
        super().on_train_start(trainer, pl_module)
        stopping = [of for of in trainer.callbacks if isinstance(of, EarlyStopping)]  # type: ignore[attr-defined]
        if trainer.ckpt_path == self._file and any(
            0 < of.stopped_epoch == trainer.current_epoch - 1 for of in stopping
        ):
            trainer.should_stop = True

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """When stopped, end the ranks this process started, and log which epoch begins again."""
        super().on_exception(trainer, pl_module, exception)
        if not isinstance(exception, KeyboardInterrupt):
            return
        end_started(trainer)
        if trainer.training:
            epoch = trainer.current_epoch + 1
            log.warning("stopped in epoch %d of %s, which will begin again", epoch, trainer.max_epochs)
