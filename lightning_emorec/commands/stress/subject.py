"""The run that is put under stress, from its folder and its checkpoint."""

from __future__ import annotations

import hashlib
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from jsonargparse import ArgumentError, ArgumentParser

from lightning_emorec import __version__
from lightning_emorec.branches import Branch, build_branch
from lightning_emorec.callbacks.checkpoints import RUN_CONFIG
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.errors import EmorecError
from lightning_emorec.fusion import FusionModule
from lightning_emorec.run_paths import best_checkpoint, logits_file, solved_on_file
from lightning_emorec.runs.checkpoint import other_features, read_checkpoint
from lightning_emorec.runs.folder import is_done
from lightning_emorec.types import Part

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Subject:
    """A trained model with the clips that it is judged on.

    Attributes:
        folder: The run folder.
        identity: Changes with the checkpoint, the weights of features and the version of this package.
        model: With its weights, in evaluation.
        data: The run's datamodule.
        seed: The run's seed.
    """

    folder: Path
    identity: str
    model: Branch
    data: EmotionDataModule
    seed: int

    @property
    def fusion(self) -> FusionModule | None:
        """The model, where it is one."""
        return self.model if isinstance(self.model, FusionModule) else None

    @property
    def branches(self) -> dict[str, Branch]:
        """Name -> branch: those under a fusion, or the model itself under the run's name."""
        if self.fusion is None:
            return {self.folder.name: self.model}
        return {name: cast(Branch, branch) for name, branch in self.fusion.branches.items()}

    @property
    def task(self) -> str:
        """The task that the run is judged by."""
        return next(iter(self.model.tasks))

    def judged_part(self, asked: Part | None) -> Part:
        """The part asked for; by default `test` where the run was tested, else `val`.

        Raises:
            EmorecError: The test part of a run that was not tested.
        """
        tested = logits_file(self.folder, "test").is_file()
        if asked == "test" and not tested:
            found = f"{self.folder}, which was not tested"
            raise EmorecError("a run that has been tested", found, "give --part val")
        part = asked or ("test" if tested else "val")
        if part == "val" and solved_on_file(self.folder, next(iter(self.branches))).is_file():
            expected = "clips that the branches have not heard"
            raise EmorecError(
                expected,
                "validation clips, on which they were refitted",
                "stress a tested run, or one without refit",
            )
        if part == "val" and not self.data.parts.val:
            found = f"{self.folder}, where nobody validates"
            raise EmorecError("a run with validation clips", found, "name the run that this is the refit of")
        return part


def load_subject(run: str, runs: str) -> Subject:
    """Load a finished run.

    Args:
        run: Its folder, or its name within `runs`.
        runs: Folder of all runs.

    Raises:
        EmorecError: There is no such run, it is unfinished, or its checkpoint cannot be used.
    """
    folder = Path(run) if is_done(Path(run)) else Path(runs) / run
    if not is_done(folder):
        raise EmorecError("the folder of a finished run", f"{folder}", "mend RUN or --runs, or finish it")
    file = best_checkpoint(folder)
    checkpoint = read_checkpoint(str(file))
    config: dict[str, Any] = yaml.safe_load(checkpoint[RUN_CONFIG])
    given = dict(checkpoint["hyper_parameters"])
    tasks, class_path = given.pop("tasks"), given.pop("_class_path", config["model"]["class_path"])
    init_args = {name: value for name, value in given.items() if not name.startswith("_")}
    with warnings.catch_warnings():
        # A rule that is built here is a hyper-parameter too; Lightning does not know that nothing is saved again.
        warnings.filterwarnings("ignore", message=".*is an instance of `nn.Module`.*")
        model = build_branch({"class_path": class_path, "init_args": init_args}, tasks)
    model.load_state_dict(checkpoint["state_dict"])
    for warning in other_features(checkpoint, model):
        log.warning("%s", warning)
    data = _datamodule(config["data"], file)
    if data.tasks != tasks:
        found = f"{data.tasks} in the corpus"
        raise EmorecError(f"the tasks that the model was trained for, {tasks}", found, "restore the corpus")
    data.corpus.prepare()
    return Subject(folder, _identity(file, model), model.eval(), data, int(config["seed_everything"]))


def _identity(file: Path, model: Branch) -> str:
    """Hash of the checkpoint, the features with their weights, and the version: what logits depend on."""
    features = sorted(feature.key for feature in model.features)
    told = " ".join([__version__, *features]).encode()
    return hashlib.sha256(told + file.read_bytes()).hexdigest()[:12]


def _datamodule(config: dict[str, Any], file: Path) -> EmotionDataModule:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(EmotionDataModule, "data")
    try:
        return cast(EmotionDataModule, parser.instantiate(parser.parse_object({"data": config})).data)
    except ArgumentError as error:
        reason = " ".join(str(error).split())
        raise EmorecError(
            "a checkpoint of this version", f"{file}: {reason}", "train the run again"
        ) from error
