"""Logs a run to Weights & Biases."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.errors import EmorecError, Stopped, UnavailableError
from lightning_emorec.nested import flat

if TYPE_CHECKING:
    from wandb import Run

WANDB_ID = "wandb_id"
"""File in a run folder that holds the id of the W&B run."""

AGENT = "WANDB_SWEEP_ID"
"""Environment variable that a W&B sweep agent sets."""

STEP = "trainer/global_step"

NOT_SENT = {"offline", "dryrun", "disabled"}
"""Values of WANDB_MODE that need no account."""


class WandbRun(Logger):
    """Logs each command to one W&B run, named after the run folder.

    A command that resumes an interrupted run resumes its W&B run. Under a sweep agent, the agent sets the project
    and the id. Lightning's `WandbLogger` is not used, because it sets WANDB_MODE for the whole process, reuses a run
    that another command began in the same process, and uploads no model from an offline run.

    Args:
        project: W&B project.
        entity: W&B user or team; by default that of the login.
        name: Name of the W&B run; by default that of the run folder.
        group: W&B group of the run.
        tags: W&B tags of the run.
        offline: Write to the run folder only, for a later `wandb sync`; the same as WANDB_MODE=offline.
        log_model: Upload `best.ckpt` as an artifact when the run is complete.
    """

    def __init__(
        self,
        project: str = "lightning_emorec",
        entity: str | None = None,
        name: str | None = None,
        group: str | None = None,
        tags: list[str] | None = None,
        offline: bool = False,
        log_model: bool = True,
    ) -> None:
        super().__init__()
        self.log_model = log_model
        self._asked: dict[str, Any] = {
            "project": project,
            "entity": entity,
            "name": name,
            "group": group,
            "tags": tags,
            "mode": "offline" if offline else None,
        }
        self._folder = Path()
        self._config: dict[str, Any] = {}
        self._run: Run | None = None

    def place(self, folder: Path, config: Mapping[str, Any]) -> None:
        """Set the run folder and the run's config, before anything is logged.

        W&B's files go into `wandb/` in the folder. The config is logged flat, with the dotted keys of the command
        line: a sweep names its parameters so too, and none is shown twice.
        """
        self._folder = folder
        self._asked["name"] = self._asked["name"] or folder.name
        self._config = dict(flat(config))

    @property
    def name(self) -> str:
        """The project."""
        return str(self._asked["project"])

    @property
    def version(self) -> str | None:
        """The id of the W&B run; None before it has begun."""
        return self._run and self._run.id

    @property
    @rank_zero_experiment
    def experiment(self) -> Run:
        """The W&B run, begun on first access.

        Raises:
            EmorecError: No login, or the server cannot be reached.
        """
        if self._run is None:
            self._run = self._begin()
            self._run.define_metric(STEP)
            self._run.define_metric("*", step_metric=STEP, step_sync=True)
        return self._run

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Log one row of metrics; Lightning passes one an epoch."""
        self.experiment.log(metrics if step is None else {**metrics, STEP: step})

    def log_hyperparams(self, params: object) -> None:
        """Do nothing: the whole config is logged when the run begins."""

    def end(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        """Finish the W&B run, with the exit status of `error`; a second call has no effect.

        The arguments are those of `__exit__`, so that an `ExitStack` can call this method.
        """
        if self._run is not None:
            self._run.finish(exit_code=_status(error))

    def _begin(self) -> Run:
        import wandb

        asked = {key: value for key, value in self._asked.items() if value is not None}
        if AGENT in os.environ:
            asked = {key: value for key, value in asked.items() if key not in ("project", "entity")}
        else:
            asked["id"] = self._id_of_folder()
        try:
            return wandb.init(
                **asked, dir=str(self._folder), config=self._config, resume="allow", reinit="create_new"
            )
        except wandb.Error as error:
            raise _refused(error) from error

    def _id_of_folder(self) -> str:
        file = self._folder / WANDB_ID
        if not file.is_file():
            write_atomically(file, secrets.token_hex(4))
        return file.read_text(encoding="utf8")


def check_logger(logger: object) -> None:
    """Check before training that the W&B runs in `trainer.logger` of a resolved config can begin; may prompt for a key.

    Raises:
        UnavailableError: The package `wandb` is missing.
        EmorecError: There is no login.
    """
    for spec in logger if isinstance(logger, list) else [logger]:
        if not isinstance(spec, Mapping) or spec["class_path"].rpartition(".")[2] != WandbRun.__name__:
            continue
        if find_spec("wandb") is None:
            raise UnavailableError(
                "the package wandb", "none", "pip install -c constraints.txt -e '.[wandb]'"
            )
        if not spec["init_args"]["offline"] and os.environ.get("WANDB_MODE") not in NOT_SENT:
            _log_in()


def _log_in() -> None:
    import wandb

    try:
        wandb.login()
    except wandb.Error as error:
        raise _refused(error) from error


def _refused(error: Exception) -> EmorecError:
    found = " ".join(str(error).split())
    fix = "run `wandb login`, or set WANDB_MODE=offline and run `wandb sync` later"
    return EmorecError("a login to W&B and its server", found, fix)


def _status(error: BaseException | None) -> int:
    """The exit status of the command that ends with this error."""
    if isinstance(error, SystemExit) and isinstance(error.__context__, KeyboardInterrupt):
        error = error.__context__  # Lightning exits with 1 after Ctrl-C; `__main__` changes the status
    if isinstance(error, KeyboardInterrupt):
        return 128 + (error.which if isinstance(error, Stopped) else signal.SIGINT)
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    return 0 if error is None else 1
