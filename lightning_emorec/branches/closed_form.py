"""Branches that are solved in one go, without an optimiser."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from lightning.pytorch import Trainer

from lightning_emorec.branches.branch import Branch
from lightning_emorec.errors import EmorecError
from lightning_emorec.training_data import LabelledClips, TrainingData

if TYPE_CHECKING:
    from lightning_emorec.datamodule import EmotionDataModule


class ClosedFormBranch(Branch):
    """A branch that `solve_with` fits in place of `Trainer.fit`; its config has `max_epochs: 0`."""

    @abstractmethod
    def solve(self, training: TrainingData) -> None:
        """Fit to the training clips."""


def solve_with(trainer: Trainer, model: ClosedFormBranch, data: EmotionDataModule) -> None:
    """Fit a closed-form branch, in this process: what `Trainer.fit` is for other branches.

    Afterwards the trainer can save the model's checkpoint, and loop over parts of the data.

    Args:
        trainer: Of one process; decides on which device.
        model: To be solved.
        data: Prepared and set up here.
    """
    trainer.strategy.connect(model)
    trainer.datamodule = data  # type: ignore[attr-defined]
    model.trainer = data.trainer = trainer
    data.prepare_data()
    data.setup("fit")
    model.setup("fit")
    model.configure_model()
    trainer.precision_plugin.convert_module(model).to(trainer.strategy.root_device)
    model.solve(data.training_data())


class PerTaskBranch(ClosedFormBranch):
    """A branch whose tasks are solved one by one, from the same rows."""

    def solve(self, training: TrainingData) -> None:
        """Fit every task to the training clips that it labels."""
        rows = self.learn_rows(training)
        self.take(rows, {task: self.solve_task(rows, training.labelled(task)) for task in self.tasks})
        self.learn_speakers(rows, training)

    @abstractmethod
    def learn_rows(self, training: TrainingData) -> Any:
        """What every task is solved from, a row a training clip; the scale or the vocabulary is learned here."""

    @abstractmethod
    def solve_task(self, rows: Any, labelled: LabelledClips) -> Any:
        """The solution of one task."""

    def learn_speakers(self, rows: Any, training: TrainingData) -> None:
        """Learn, after the solution, how to adapt it to a speaker; a branch without adaptation learns nothing."""

    @abstractmethod
    def take(self, rows: Any, solved: dict[str, Any]) -> None:
        """Keep the solution of every task as tensors."""


def require_no_epochs(max_epochs: int | None) -> None:
    """Check `trainer.max_epochs` of a closed-form branch: more than 0 would be ignored.

    Raises:
        EmorecError: It is not 0.
    """
    if max_epochs != 0:
        expected = "trainer.max_epochs 0 for a model that is solved, not trained"
        raise EmorecError(expected, f"{max_epochs}", "set --trainer.max_epochs 0")
