"""Trains the branches that a fusion run lacks, each in a process of its own."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from lightning.fabric.plugins.environments.lightning import find_free_network_port

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.audio import paths_of, with_audio
from lightning_emorec.branches import Spec, branch_class, needs_audio
from lightning_emorec.distributed.launch import environment_alone, environment_of_child
from lightning_emorec.distributed.rendezvous import Coordinator
from lightning_emorec.errors import EmorecError, UnavailableError
from lightning_emorec.jobs.children import run_fit
from lightning_emorec.nested import as_yaml, override
from lightning_emorec.runs.folder import is_done
from lightning_emorec.runs.leakage import known_training_overlap
from lightning_emorec.runs.plan import RunPlan
from lightning_emorec.splits import Parts

log = logging.getLogger(__name__)

Config = dict[str, Any]

BRANCHES = "branches"
"""Folder of trained branches, among the runs."""

LOG = "fit.log"
"""In a branch's folder: the output of its `fit`, if it was not the only one."""

# What the fused run decides for its branches; the rest (model, augmentation, batch, epochs) is the branch's own.
SHARED_DATA = (
    "corpus",
    "split",
    "rate_hz",
    "trim_db",
    "peak_normalise",
    "max_s",
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
    """The config of a branch's own `fit`: the branch's, with what the fused run decides for all its branches.

    Args:
        branch: The branch's own.
        fused: That of the fused run.
        overrides: Dotted key -> value, to be set in the branch's own.

    Raises:
        EmorecError: An override of what the fused run decides.
    """
    for key in overrides:
        if any(f"{key}.".startswith(f"{decided}.") for decided in DECIDED):
            fix = "set it on the fused run, or remove it from model.init_args.overrides"
            raise EmorecError("overrides of what a branch decides for itself", key, fix)
    run = override(branch, overrides)
    for section, keys in (("data", SHARED_DATA), ("trainer", SHARED_TRAINER)):
        run[section] = {**(run.get(section) or {}), **{key: fused[section][key] for key in keys}}
    wanted = (part["trainer"].get("sync_batchnorm") for part in (run, fused))
    run["trainer"]["sync_batchnorm"] = any(wanted)  # asked of the branch, or of all: it is about the devices
    run["seed_everything"] = fused["seed_everything"]
    run["trainer"]["logger"] = None  # one command, one W&B run, which shows the branch's metrics.csv
    run["test_after_fit"] = False  # test clips are used once, when every choice is made
    run["refit"] = False  # the fused run refits all its branches, or none
    return run


def available_branches(
    specs: Mapping[str, Spec], parts: Parts, missing_branch: Literal["skip", "error"]
) -> tuple[list[str], dict[str, str]]:
    """Check for every branch, before any is trained, whether it is available here.

    Args:
        specs: Name -> resolved spec.
        parts: Clips to train on and to evaluate.
        missing_branch: What to do about one that is not.

    Returns:
        Names of those that are, and name -> reason for those left out.

    Raises:
        UnavailableError: One is not and `missing_branch` is `error`, or none is.
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
                paths_of(clips)  # raises, and names what is missing
        if mute := [clip.id for clip in parts.clips if clip.path is None]:
            log.warning(
                "branch %s skips %d of %d clips, which have no audio, e.g. %s",
                name,
                len(mute),
                len(parts.clips),
                mute[0],
            )
    branch_class(spec).check_available(spec["init_args"])


class BranchTrainer:
    """Trains branches, each in the folder among the `runs` that its fingerprint names, unless that is done.

    Args:
        runs: Folder of all runs.
        coordinator: Of all processes, where several were started together: each has a child, and these train the
            branch together.
        jobs: How many branches are trained at a time. Of several, each child writes its output into its folder, and
            takes its share of the cores.

    Attributes:
        seconds: `branch NAME` -> seconds, of those that were not done.
    """

    def __init__(self, runs: Path, coordinator: Coordinator | None = None, jobs: int = 1) -> None:
        self.runs = runs
        self.coordinator = coordinator
        self.jobs = jobs
        self.seconds: dict[str, float] = {}

    def train(self, name: str, config: Config, print_: str, refit_of: Path | None = None) -> Path:
        """Train a branch, and return its folder.

        Args:
            name: Of the branch.
            config: Of its run.
            print_: The run's fingerprint.
            refit_of: Folder of the run that this one is the refit of.

        Raises:
            EmorecError: The child did not finish.
        """
        folder = self.runs / BRANCHES / f"{name}-{print_}"
        label = f"{name} (refit)" if refit_of else name
        run = {**config, "runs": str(self.runs), "name": f"{BRANCHES}/{folder.name}"}
        self.train_in(folder, label, run, refit_of)
        return folder

    def train_in(self, folder: Path, label: str, config: Config, refit_of: Path | None = None) -> None:
        """Do so in a given folder.

        Raises:
            EmorecError: The child did not finish.
        """
        if is_done(folder):
            log.info("branch %s: reused from %s", label, folder)
            return
        log_file = folder / LOG if self.jobs > 1 else None
        log.info("branch %s: training in %s", label, log_file or folder)
        if log_file:
            config = {**config, "trainer": {**config["trainer"], "enable_progress_bar": False}}
        write_atomically(folder / "config.yaml", as_yaml(config))
        warnings = known_training_overlap(config["model"], config["data"]["corpus"])
        plan = RunPlan(folder, warnings=warnings, refit_of=refit_of)
        start = time.monotonic()
        if code := run_fit(folder / "config.yaml", self._environment(folder), log_file, plan.write()):
            raise EmorecError(
                f"branch {label} to finish",
                f"exit status {code} (see {log_file or 'above'})",
                "run the same command again: it goes on from the branch's last epoch",
            )
        self.seconds[f"branch {label}"] = spent = time.monotonic() - start
        log.info("branch %s: trained in %.0f s", label, spent)

    def _environment(self, folder: Path) -> dict[str, str]:
        if self.coordinator is None:
            environment = environment_alone(os.environ)
        else:
            port = find_free_network_port()
            self.coordinator.order({"do": "fit", "folder": str(folder.resolve()), "port": str(port)})
            environment = environment_of_child(os.environ, port)
        if self.jobs > 1:
            environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // self.jobs)))
        return environment
