"""What a command does around its trainer: checkpoints to begin from and to write, the clock, the refit at the end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.plugins import CheckpointIO, LayerSync

from lightning_emorec.augment import draw_seed
from lightning_emorec.branches import Branch, ClosedFormBranch, solve_with
from lightning_emorec.callbacks.checkpoints import AtomicCheckpointIO, LastCheckpoint, RunConfig
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.distributed.process_group import keep_handlers, rank_arguments
from lightning_emorec.distributed.sync_batch_norm import SyncBatchNormPlugin
from lightning_emorec.errors import EmorecError
from lightning_emorec.jobs.environments import environments
from lightning_emorec.jobs.pool import side_by_side
from lightning_emorec.loggers import loggers_of
from lightning_emorec.nested import as_yaml
from lightning_emorec.run_paths import best_checkpoint, last_checkpoint
from lightning_emorec.runs.folder import mark_done
from lightning_emorec.runs.plan import RunPlan
from lightning_emorec.runs.train_branches import BranchTrainer
from lightning_emorec.splits import WithoutValidation


class Clock:
    """Measures the stages of a command, one after the other.

    Attributes:
        seconds: Stage -> seconds.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._started = time.monotonic()

    def end_of(self, stage: str, without: float = 0.0) -> None:
        """End a stage, and begin the next.

        Args:
            stage: The one that ends.
            without: Seconds in it that belong to another.
        """
        now = time.monotonic()
        self.seconds[stage] = now - self._started - without
        self._started = now


def seed_run(seed: int, name: str) -> None:
    """Seed all generators before a model is built.

    Args:
        seed: Of the run.
        name: `seed_name` of the model: different models of one run begin from different draws.
    """
    seed_everything(draw_seed(seed, 0, name) % 2**32, workers=True, verbose=False)


def place_checkpoints(checkpoint: Namespace, folder: Path, data: EmotionDataModule) -> None:
    """Set where the best checkpoint is written, and by which score it is chosen unless the config names another.

    Args:
        checkpoint: The config's section, which is changed.
        folder: The run folder.
        data: A datamodule of the same config.
    """
    checkpoint.dirpath = str(best_checkpoint(folder).parent)
    if checkpoint.monitor is None and not isinstance(data.split, WithoutValidation):
        checkpoint.monitor = f"val/{next(iter(data.tasks))}/uar"


def trainer_parts(
    given: Namespace, config: Mapping[str, Any], folder: Path, held: ExitStack
) -> dict[str, Any]:
    """Arguments of a run's trainer that are ours: loggers, callbacks and plugins, those of its config first.

    Args:
        given: The config's section `trainer`, instantiated.
        config: The run's.
        folder: The run folder.
        held: Ends the loggers when the command ends.
    """
    plugins: list[CheckpointIO | LayerSync] = [*(given.plugins or []), AtomicCheckpointIO()]
    if given.sync_batchnorm:
        plugins.append(SyncBatchNormPlugin())
    callbacks: list[Callback] = [*(given.callbacks or []), RunConfig(as_yaml(config)), LastCheckpoint(folder)]
    return {
        "logger": loggers_of(given.logger, folder, config, held) or False,
        "plugins": plugins,
        "callbacks": callbacks,
        "default_root_dir": str(folder),
    }


def prepare_trainer(trainer: Trainer, plan: RunPlan, held: ExitStack) -> None:
    """Set what a trainer has no argument for: its signals, the arguments of its ranks, the order of its callbacks.

    Args:
        trainer: Before it runs.
        plan: Handed to ranks that Lightning starts.
        held: Takes the arguments back when the command ends.
    """
    keep_handlers(trainer)
    held.enter_context(rank_arguments(trainer, *plan.arguments))
    # After the checkpoint of the best, whose score it holds: a resumed run would else take a worse one for it.
    trainer.callbacks.sort(key=lambda callback: isinstance(callback, LastCheckpoint))  # type: ignore[attr-defined]


def checkpoint_to_resume(folder: Path, model: Branch, given: str | None) -> str | None:
    """The checkpoint that training begins from: the run's own last epoch, else the one that is given.

    Args:
        folder: The run folder.
        model: One that is solved begins from nothing.
        given: `--ckpt_path`.

    Raises:
        EmorecError: `last` is asked for, and there is none.
    """
    last = last_checkpoint(folder)
    if last.is_file() and not isinstance(model, ClosedFormBranch):
        return str(last)  # also of a run that began from a given file: it has gone on since
    if given == "last":
        raise EmorecError("a checkpoint to go on from", f"no {last}", "remove --ckpt_path to start anew")
    return given


def train_or_solve(trainer: Trainer, model: Branch, data: EmotionDataModule, **arguments: Any) -> None:
    """Fit a model, whichever kind it is.

    Args:
        trainer: Of the run.
        model: To be fitted.
        data: Of the run.
        arguments: Further ones of `Trainer.fit`.
    """
    if isinstance(model, ClosedFormBranch):
        solve_with(trainer, model, data)
    else:
        trainer.fit(model, datamodule=data, **arguments)


def train_refit(plan: RunPlan, config: dict[str, Any]) -> None:
    """Train the refit of a run that is no fusion, in a process of its own; this ends the run.

    Args:
        plan: The run's, with its refit.
        config: Of the refit.
    """
    ((name, refit),) = plan.refits.items()
    trainer = BranchTrainer(Path(config["runs"]))
    train = partial(trainer.train_in, refit.folder, f"{name} (refit)", config, refit_of=plan.folder)
    side_by_side([train], environments(jobs=1))
    mark_done(plan.folder)
