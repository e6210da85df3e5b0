"""Loads the run to stress from its folder and its checkpoint."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from lightning_emorec import __version__
from lightning_emorec.audio import AudioStore
from lightning_emorec.branches import Branch
from lightning_emorec.commands.crossval.study import PLAN
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.errors import EmorecError
from lightning_emorec.fusion import FusionModule
from lightning_emorec.hashing import short_hash
from lightning_emorec.inference import TrainedModel, branch_logits, datamodule_of, feature_keys, load_model
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.run_paths import logits_file, solved_on_file
from lightning_emorec.runs.folder import is_done
from lightning_emorec.types import Clip, Part


@dataclass(frozen=True)
class FinishedRun:
    """A trained model with the data that it is evaluated on.

    Attributes:
        folder: The run folder.
        identity: Hash of the checkpoint, the feature keys and the version of this package.
        trained: The model of the best checkpoint.
        data: The run's datamodule.
    """

    folder: Path
    identity: str
    trained: TrainedModel
    data: EmotionDataModule

    @property
    def fusion(self) -> FusionModule | None:
        """The model if it is a fusion, else None."""
        return self.trained.fusion

    @property
    def branches(self) -> dict[str, Branch]:
        """Name -> branch of a fusion; a single model has the run's name."""
        return {self._title(name): branch for name, branch in self.trained.branches.items()}

    def branch_logits(
        self, clips: Sequence[Clip], audio: AudioStore, names: Collection[str], features: Path
    ) -> dict[str, PartLogits]:
        """The logits of some branches for clips with the given audio; `features` is the cache folder for this audio."""
        own = [name for name in self.trained.branches if self._title(name) in names]
        found = branch_logits(
            self.trained,
            clips,
            audio,
            names=own,
            features=features,
            batch_size=self.data.batch_size,
            workers=self.data.workers,
            show=True,
        )
        return {self._title(name): part for name, part in found.items()}

    def _title(self, name: str) -> str:
        return self.folder.name if self.fusion is None else name

    @property
    def task(self) -> str:
        """The task that is evaluated."""
        return next(iter(self.trained.tasks))

    def judged_part(self, asked: Part | None) -> Part:
        """Check the requested part; by default `test` if the run was tested, else `val`."""
        tested = logits_file(self.folder, "test").is_file()
        if asked == "test" and not tested:
            found = f"{self.folder}, which was not tested"
            raise EmorecError("a run that has been tested", found, "set --part val")
        part = asked or ("test" if tested else "val")
        if part == "val" and solved_on_file(self.folder, next(iter(self.branches))).is_file():
            raise EmorecError(
                "clips that no branch was trained on",
                "validation clips, on which the branches were refitted",
                "stress a tested run, or one without refit",
            )
        if part == "val" and not self.data.parts.val:
            found = f"{self.folder}, which has none"
            raise EmorecError(
                "a run with validation clips", found, "set RUN to the original run of this refit"
            )
        return part


def load_finished_run(run: str, runs: str) -> FinishedRun:
    """Load a finished run from its folder, or by its name within `runs`."""
    folder = Path(run) if is_done(Path(run)) else Path(runs) / run
    if (folder / PLAN).is_file():
        fix = "add --suite, or set RUN to the run of one fold"
        raise EmorecError("the folder of one run", f"{folder}, a cross-validation", fix)
    if not is_done(folder):
        raise EmorecError(
            "the folder of a finished run", f"{folder}", "check RUN and --runs, or finish the run"
        )
    trained = load_model(folder)
    data = datamodule_of(yaml.safe_load(trained.config)["data"], str(trained.checkpoint))
    if data.tasks != trained.tasks:
        expected = f"the tasks that the model was trained for, {trained.tasks}"
        raise EmorecError(expected, f"{data.tasks} in the corpus", "restore the corpus")
    data.corpus.prepare()
    return FinishedRun(folder, _identity(trained), trained, data)


def _identity(trained: TrainedModel) -> str:
    """Hash of the checkpoint, the feature keys and the version, on which logits depend."""
    settings = " ".join([__version__, *feature_keys(trained.model)]).encode()
    return short_hash(settings + trained.checkpoint.read_bytes(), digits=12)
