"""Trains the missing branches of a fused run, each in a child process."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from lightning.fabric.plugins.environments.lightning import find_free_network_port

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.audio import sounds_of, with_audio
from lightning_emorec.branches import Spec, branch_class, needs_audio
from lightning_emorec.distributed.launch import environment_of_child
from lightning_emorec.distributed.rendezvous import Coordinator
from lightning_emorec.errors import EmorecError, UnavailableError
from lightning_emorec.jobs.child import LOG, Child, Work, fit_command
from lightning_emorec.jobs.environments import Environment
from lightning_emorec.nested import as_yaml, override
from lightning_emorec.runs.folder import is_done
from lightning_emorec.runs.leakage import known_training_overlap
from lightning_emorec.runs.plan import RunPlan
from lightning_emorec.splits import Parts

log = logging.getLogger(__name__)

Config = dict[str, Any]

BRANCHES = "branches"
"""Folder of trained branches, in the folder of all runs."""

# Set by the fused run for its branches; the rest (model, augmentation, batch size, epochs) is set by each branch.
SHARED_DATA = (
    "corpus",
    "split",
    "rate_hz",
    "trim_db",
    "peak_normalise",
    "max_s",
    "channel",
    "workers",
    "cache",
    "on_error",
)
SHARED_TRAINER = (
    "accelerator",
    "devices",
    "strategy",
    "num_nodes",
    "enable_progress_bar",
    "enable_model_summary",
)
DECIDED = (
    *(f"data.{key}" for key in SHARED_DATA),
    *(f"trainer.{key}" for key in (*SHARED_TRAINER, "logger")),
    *("seed_everything", "test_after_fit", "refit"),
)


def branch_run(branch: Config, fused: Config, overrides: Mapping[str, Any]) -> Config:
    """The config of a branch's own `fit`: the branch's config with overrides and the fused run's shared settings.

    Args:
        branch: Config of the branch.
        fused: Config of the fused run.
        overrides: Dotted key -> value, set in the branch's config.

    Raises:
        EmorecError: An override of a shared setting.
    """
    for key in overrides:
        if any(f"{key}.".startswith(f"{decided}.") for decided in DECIDED):
            fix = "set it on the fused run, or remove it from model.init_args.overrides"
            raise EmorecError("overrides of what a branch decides for itself", key, fix)
    run = override(branch, overrides)
    for section, keys in (("data", SHARED_DATA), ("trainer", SHARED_TRAINER)):
        run[section] = {**(run.get(section) or {}), **{key: fused[section][key] for key in keys}}
    wanted = (part["trainer"].get("sync_batchnorm") for part in (run, fused))
    run["trainer"]["sync_batchnorm"] = any(wanted)  # set for the branch or for all
    run["seed_everything"] = fused["seed_everything"]
    run["trainer"]["logger"] = None  # one command, one W&B run, which shows the branch's metrics.csv
    run["test_after_fit"] = False  # test clips are used once, after every choice
    run["refit"] = False  # the fused run refits all its branches or none
    return run


def available_branches(
    specs: Mapping[str, Spec], parts: Parts, missing_branch: Literal["skip", "error"]
) -> tuple[list[str], dict[str, str]]:
    """Check before training whether every branch (name -> resolved spec) is available on this machine.

    Returns:
        Names of the available branches, and name -> reason for the others.

    Raises:
        UnavailableError: No branch is available, or one is not and `missing_branch` is `error`.
    """
    left_out: dict[str, str] = {}
    for name, spec in specs.items():
        try:
            _check_available(name, spec, parts)
        except UnavailableError as error:
            if missing_branch == "error":
                raise
            log.warning("branch %s is left out: %s", name, error)
            left_out[name] = str(error)
    names = [name for name in specs if name not in left_out]
    if not names:
        fix = "install what one of them needs, or set other model.init_args.branches"
        raise UnavailableError("at least one branch that is available", "; ".join(left_out.values()), fix)
    return names, left_out


def _check_available(name: str, spec: Spec, parts: Parts) -> None:
    if needs_audio(spec):
        for clips in (parts.train, parts.val, parts.test):
            if clips and not with_audio(clips):
                sounds_of(clips)  # raises, and names what is missing
        if silent := [clip.id for clip in parts.clips if clip.path is None]:
            log.warning(
                "branch %s skips %d of %d clips, which have no audio, e.g. %s",
                *(name, len(silent), len(parts.clips), silent[0]),
            )
    branch_class(spec).check_available(spec["init_args"])


class BranchTrainer:
    """Trains each branch in the run folder named by its fingerprint, unless that run is done.

    Args:
        runs: Folder of all runs.
        coordinator: Only on rank 0 of several processes: each of them starts a child, and the children form a group.
        in_background: Write the output of each child to a log in its folder, for several branches at a time.

    Attributes:
        seconds: `branch NAME` -> seconds, for each branch that was trained.
    """

    def __init__(
        self, runs: Path, coordinator: Coordinator | None = None, in_background: bool = False
    ) -> None:
        self.runs = runs
        self.coordinator = coordinator
        self.in_background = in_background
        self.seconds: dict[str, float] = {}

    def folder(self, name: str, print_: str) -> Path:
        """The run folder of a branch with this name and fingerprint."""
        return self.runs / BRANCHES / f"{name}-{print_}"

    def train(
        self,
        name: str,
        config: Config,
        print_: str,
        environment: Environment,
        refit_of: Path | None = None,
    ) -> Work[Path]:
        """Train a branch with the config and fingerprint of its run, and return its folder.

        `refit_of` is the folder of the original run if this is a refit.
        """
        folder = self.folder(name, print_)
        label = f"{name} (refit)" if refit_of else name
        run = {**config, "runs": str(self.runs), "name": f"{BRANCHES}/{folder.name}"}
        yield from self.train_in(folder, label, run, environment, refit_of)
        return folder

    def train_in(
        self,
        folder: Path,
        label: str,
        config: Config,
        environment: Environment,
        refit_of: Path | None = None,
    ) -> Work[None]:
        """Train a branch in a given folder.

        Raises:
            EmorecError: The child failed.
        """
        if is_done(folder):
            log.info("branch %s: reused from %s", label, folder)
            return
        log_file = folder / LOG if self.in_background else None
        log.info("branch %s: training in %s", label, log_file or folder)
        if log_file:
            config = {**config, "trainer": {**config["trainer"], "enable_progress_bar": False}}
        write_atomically(folder / "config.yaml", as_yaml(config))
        warnings = known_training_overlap(config["model"], config["data"]["corpus"])
        plan = RunPlan(folder, warnings=warnings, refit_of=refit_of)
        plan.write()
        start = time.monotonic()
        command = fit_command("--config", str(folder / "config.yaml"), *plan.arguments)
        child = Child(command, self._shared(environment, folder), log_file, title=f"branch {label}")
        if code := (yield from child.until_ended()):
            raise EmorecError(
                f"branch {label} to finish",
                f"exit status {code} (see {log_file or 'above'})",
                "run the same command again: it resumes from the branch's last epoch",
            )
        self.seconds[f"branch {label}"] = spent = time.monotonic() - start
        log.info("branch %s: trained in %.0f s", label, spent)

    def _shared(self, environment: Environment, folder: Path) -> Environment:
        """The environment of a child; orders the other ranks, if any, to start children that join its group."""
        if self.coordinator is None:
            return environment
        port = find_free_network_port()
        self.coordinator.order({"do": "fit", "folder": str(folder.resolve()), "port": str(port)})
        return environment_of_child(os.environ, port)
