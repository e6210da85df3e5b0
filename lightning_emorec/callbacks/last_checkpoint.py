"""What an interrupted run goes on from."""

from __future__ import annotations

import logging
from pathlib import Path

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from lightning_emorec.distributed.shutdown import end_started
from lightning_emorec.run_paths import last_checkpoint

log = logging.getLogger(__name__)


class LastCheckpoint(ModelCheckpoint):
    """Writes `last.ckpt` at the end of each epoch, and says where a run that is stopped will go on.

    It is not written within an epoch: a checkpoint holds no generator's state, so only what begins with an epoch
    can be drawn again. Of its own, because a `ModelCheckpoint` with a monitor writes its `save_last` only when
    there is a new best (lightning 2.6.6).

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
        """Train no further when a run that had stopped early is gone on with, as Lightning 2.6.6 would.

        A checkpoint that the user names is trained further all the same.
        """
        super().on_train_start(trainer, pl_module)
        stopping = [of for of in trainer.callbacks if isinstance(of, EarlyStopping)]  # type: ignore[attr-defined]
        if trainer.ckpt_path == self._file and any(
            0 < of.stopped_epoch == trainer.current_epoch - 1 for of in stopping
        ):
            trainer.should_stop = True

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """When stopped, end the ranks this process started, and say which epoch is begun again."""
        super().on_exception(trainer, pl_module, exception)
        if not isinstance(exception, KeyboardInterrupt):
            return
        end_started(trainer)
        if trainer.training:
            epoch = trainer.current_epoch + 1
            log.warning("stopped in epoch %d of %s, which will begin again", epoch, trainer.max_epochs)
