"""A study on disk that several processes share, and the assignment of its trials to processes."""

from __future__ import annotations

import itertools
import json
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import optuna
from optuna.distributions import CategoricalDistribution, IntDistribution, distribution_to_json
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.commands.sweep.file import Hyperband, SweepFile
from lightning_emorec.errors import EmorecError
from lightning_emorec.locks import Lock
from lightning_emorec.runs.folder import lock_folder, try_lock_folder

log = logging.getLogger(__name__)

Sampler = Literal["tpe", "grid", "random"]

SWEEPS = "sweeps"  # folder of all sweeps, in the folder of all runs
JOURNAL = "study.journal"
BEGUN = "sweep.json"
SAMPLERS: dict[str, Sampler] = {"bayes": "tpe", "grid": "grid", "random": "random"}


@dataclass(frozen=True)
class TrialLease:
    """A trial that is assigned to this process.

    Attributes:
        trial: A trial of the study.
        folder: Folder of the trial, within that of the sweep.
        lock: Held while the trial runs; released when the process is killed, so that another process can resume it.
    """

    trial: Trial
    folder: Path
    lock: Lock


class SharedStudy:
    """An Optuna study with a journal file in the folder of the sweep.

    The journal is append-only and written under a lock: unlike SQLite, it is safe on a network file system.

    Args:
        runs: Folder of all runs.
        name: Folder of the sweep, within `runs`.
        file: The sweep file.
        fit_args: Further arguments of every `fit`.
        sampler: Search method.
        trials: Number of trials of all processes together.
        seed: Determines, with the number of a trial, the draws of the sampler.

    Raises:
        EmorecError: The folder holds another sweep, or a grid is infinite.
    """

    def __init__(
        self,
        runs: Path,
        name: str,
        file: SweepFile,
        fit_args: list[str],
        sampler: Sampler,
        trials: int,
        seed: int,
    ) -> None:
        self.runs = runs
        self.folder = folder = runs / SWEEPS / name
        self.file = file
        self._sampler: Sampler = sampler
        self._seed = seed
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        with self.locked():
            self._begin(fit_args)
            backend = JournalFileBackend(str(folder / JOURNAL))
            self.study = optuna.create_study(
                storage=optuna.storages.JournalStorage(backend),
                study_name=file.name,
                direction=file.goal,
                load_if_exists=True,
                pruner=_pruner(file.hyperband),
            )
            points = self._lay_out_grid() if sampler == "grid" else trials
        self.wanted = min(trials, points)

    def locked(self) -> Lock:
        """Lock the sweep, to claim a trial or to write a shared file."""
        return lock_folder(self.folder)

    @property
    def trials(self) -> list[FrozenTrial]:
        """Trials that have begun, by number."""
        return [trial for trial in self.study.get_trials(deepcopy=False) if trial.state != TrialState.WAITING]

    @property
    def ended(self) -> list[FrozenTrial]:
        """Trials that are complete, stopped early or failed."""
        return [trial for trial in self.trials if trial.state.is_finished()]

    @property
    def best(self) -> FrozenTrial | None:
        """The best complete trial."""
        whole = [trial for trial in self.trials if trial.state == TrialState.COMPLETE]
        return self.study.best_trial if whole else None

    def claim(self) -> TrialLease | None:
        """Claim an unfinished trial of a killed process, else a new one; None if no trial is left."""
        with self.locked():
            begun = self.trials
            for frozen in begun:
                if frozen.state == TrialState.RUNNING and (
                    lock := try_lock_folder(self.folder_of(frozen.number))
                ):
                    trial = Trial(self.study, frozen._trial_id)
                    if frozen.params.keys() == self.file.space.keys():
                        log.info("continuing trial %d", frozen.number)
                        return TrialLease(trial, self.folder_of(frozen.number), lock)
                    lock.close()
                    trial.set_user_attr("reason", "killed before it began")
                    self.study.tell(trial, state=TrialState.FAIL)
            if len(begun) >= self.wanted:
                return None
            self.study.sampler = self._sampler_for(len(begun))
            trial = self.study.ask(self.file.space)
            lock = try_lock_folder(self.folder_of(trial.number))
            if lock is None:
                raise RuntimeError(f"{self.folder_of(trial.number)} is locked before its trial began")
            return TrialLease(trial, self.folder_of(trial.number), lock)

    def folder_of(self, number: int) -> Path:
        """The folder of a trial."""
        return self.folder / "trials" / f"{number:04d}"

    def _sampler_for(self, number: int) -> optuna.samplers.BaseSampler:
        """A new sampler for each trial: a sampler seeded once would repeat its draws when a sweep is resumed."""
        seed = self._seed * 1_000_003 + number
        if self._sampler == "tpe":
            return optuna.samplers.TPESampler(seed=seed)
        return optuna.samplers.RandomSampler(seed=seed)

    def _lay_out_grid(self) -> int:
        """Queue every combination; return their number."""
        values = {}
        for name, of in self.file.space.items():
            if isinstance(of, CategoricalDistribution):
                values[name] = list(of.choices)
            elif isinstance(of, IntDistribution):
                values[name] = list(range(of.low, of.high + 1))
            else:
                raise EmorecError(
                    "values to choose from, for a grid", f"a range for {name}", "use --sampler tpe"
                )
        points = [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]
        for point in points:
            self.study.enqueue_trial(point, skip_if_exists=True)
        return len(points)

    def _begin(self, fit_args: list[str]) -> None:
        """Write the sweep's settings, or check that they have not changed since the sweep was begun."""
        now = {
            "metric": self.file.metric,
            "goal": self.file.goal,
            "command": self.file.command,
            "fit_args": fit_args,
            "parameters": {
                name: json.loads(distribution_to_json(of)) for name, of in self.file.space.items()
            },
        }
        note = self.folder / BEGUN
        if not note.is_file():
            write_atomically(note, json.dumps(now, indent=2, ensure_ascii=False) + "\n")
            return
        before = json.loads(note.read_text(encoding="utf8"))
        if changed := [key for key, value in json.loads(json.dumps(now)).items() if before.get(key) != value]:
            expected = f"the settings that {self.folder} was begun with"
            raise EmorecError(
                expected, f"another {', '.join(changed)}", "choose another --name, or delete the folder"
            )


def _pruner(hyperband: Hyperband | None) -> optuna.pruners.BasePruner:
    if hyperband is None:
        return optuna.pruners.NopPruner()
    return optuna.pruners.HyperbandPruner(
        min_resource=hyperband.min_iter,
        max_resource=hyperband.max_iter or "auto",
        reduction_factor=hyperband.eta,
    )
