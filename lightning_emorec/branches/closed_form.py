"""Branches that are solved in one go, without an optimiser."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

from lightning_emorec.branches.branch import Branch
from lightning_emorec.errors import EmorecError
from lightning_emorec.run_paths import BEST
from lightning_emorec.training_data import LabelledClips, TrainingData
from lightning_emorec.types import Batch


class ClosedFormBranch(Branch):
    """A branch fitted by `solve` when `fit` starts; its trainer has `max_epochs: 0`.

    `ModelCheckpoint` saves nothing where no optimiser steps, so the checkpoint is saved here.
    """

    @abstractmethod
    def solve(self, training: TrainingData) -> None:
        """Fit to the training clips; the same on every rank."""

    def on_fit_start(self) -> None:
        """Solve, then save.

        Raises:
            EmorecError: The trainer would go on to train.
        """
        require_no_epochs(self.trainer.max_epochs)
        self.solve(self.data.training_data())
        if self.trainer.checkpoint_callback is not None:
            folder = Path(self.trainer.checkpoint_callback.dirpath or self.trainer.default_root_dir)  # type: ignore[attr-defined]
            self.trainer.save_checkpoint(folder / BEST)  # on all ranks: Lightning synchronises inside

    def training_step(self, batch: Batch, batch_index: int) -> None:
        """Never run; Lightning requires that it is there."""
        raise RuntimeError(f"{type(self).__name__} is solved, not trained by steps")

    def configure_optimizers(self) -> None:
        """Nothing is stepped."""
        return


class PerTaskBranch(ClosedFormBranch):
    """A branch whose tasks are solved one by one, from the same rows."""

    def solve(self, training: TrainingData) -> None:
        """Fit every task to the training clips that it labels."""
        rows = self.learn_rows(training)
        self.take(rows, {task: self.solve_task(rows, training.labelled(task)) for task in self.tasks})

    @abstractmethod
    def learn_rows(self, training: TrainingData) -> Any:
        """What every task is solved from, a row a training clip; the scale or the vocabulary is learned here."""

    @abstractmethod
    def solve_task(self, rows: Any, labelled: LabelledClips) -> Any:
        """The solution of one task."""

    @abstractmethod
    def take(self, rows: Any, solved: dict[str, Any]) -> None:
        """Keep the solution of every task as tensors."""


def require_no_epochs(max_epochs: int | None) -> None:
    """Check the trainer of a closed-form branch.

    Raises:
        EmorecError: It would go on to train.
    """
    if max_epochs != 0:
        expected = "trainer.max_epochs 0 for a model that is solved, not trained"
        raise EmorecError(expected, f"{max_epochs}", "set trainer.max_epochs 0")
