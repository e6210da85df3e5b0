"""The steps of a command around its trainer: seeds, checkpoints, loggers, timing, and the refit at the end."""

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
    """Measures the duration of each stage of a command.

    Attributes:
        seconds: Stage -> seconds.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._started = time.monotonic()

    def end_of(self, stage: str, without: float = 0.0) -> None:
        """End a stage and begin the next; seconds in `without` belong to another stage and are subtracted."""
        now = time.monotonic()
        self.seconds[stage] = now - self._started - without
        self._started = now


def seed_run(seed: int, name: str) -> None:
    """Seed all generators before a model is built, differently for each `seed_name` of a model."""
    seed_everything(draw_seed(seed, 0, name) % 2**32, workers=True, verbose=False)


def place_checkpoints(checkpoint: Namespace, folder: Path, data: EmotionDataModule) -> None:
    """Set the folder and the default monitor in the config's section `checkpoint`."""
    checkpoint.dirpath = str(best_checkpoint(folder).parent)
    if checkpoint.monitor is None and not isinstance(data.split, WithoutValidation):
        checkpoint.monitor = f"val/{next(iter(data.tasks))}/uar"


def trainer_parts(
    given: Namespace, config: Mapping[str, Any], folder: Path, held: ExitStack
) -> dict[str, Any]:
    """Loggers, callbacks and plugins of a run's trainer: those of its config, then those of this package.

    Args:
        given: The config's section `trainer`, instantiated.
        config: The run's plain config.
        folder: The run folder.
        held: Finishes the loggers when the command ends.
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
    """Set what a trainer has no argument for: signal handlers, the ranks' command line, the order of its callbacks."""
    keep_handlers(trainer)
    held.enter_context(rank_arguments(trainer, *plan.arguments))
    # LastCheckpoint runs after the best checkpoint, as it saves the best score, which a resumed run compares with.
    trainer.callbacks.sort(key=lambda callback: isinstance(callback, LastCheckpoint))  # type: ignore[attr-defined]


def checkpoint_to_resume(folder: Path, model: Branch, given: str | None) -> str | None:
    """The checkpoint that training starts from: the last epoch in the run folder, else `given` (--ckpt_path).

    A closed-form model has no last epoch.
    """
    last = last_checkpoint(folder)
    if last.is_file() and not isinstance(model, ClosedFormBranch):
        return str(last)  # also if the run began from the given file: it has been trained further since
    if given == "last":
        raise EmorecError("a checkpoint to resume from", f"no {last}", "remove --ckpt_path to start anew")
    return given


def train_or_solve(trainer: Trainer, model: Branch, data: EmotionDataModule, **arguments: Any) -> None:
    """Solve a closed-form model, or train any other with `Trainer.fit(**arguments)`."""
    if isinstance(model, ClosedFormBranch):
        solve_with(trainer, model, data)
    else:
        trainer.fit(model, datamodule=data, **arguments)


def train_refit(plan: RunPlan, config: dict[str, Any]) -> None:
    """Train the refit of a single model in a child process, and mark the run as done."""
    ((name, refit),) = plan.refits.items()
    trainer = BranchTrainer(Path(config["runs"]))
    train = partial(trainer.train_in, refit.folder, f"{name} (refit)", config, refit_of=plan.folder)
    side_by_side([train], environments(jobs=1))
    mark_done(plan.folder)
