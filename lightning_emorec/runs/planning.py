"""Decides what a `fit` will do: where it runs, what it reuses, what it trains first."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.branches import (
    ClosedFormBranch,
    branch_class,
    branch_origins,
    require_no_epochs,
    resolve_spec,
)
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.distributed.rendezvous import Coordinator
from lightning_emorec.errors import EmorecError
from lightning_emorec.jobs.child import Work
from lightning_emorec.jobs.environments import Environment, environments
from lightning_emorec.jobs.pool import side_by_side
from lightning_emorec.loggers.wandb_run import check_logger
from lightning_emorec.nested import as_yaml
from lightning_emorec.runs.fingerprint import describe_clips, fingerprint, fusion_fingerprint
from lightning_emorec.runs.folder import claim_run_folder, warn_of_other_versions
from lightning_emorec.runs.leakage import known_training_overlap, refuse_shared_recordings
from lightning_emorec.runs.plan import Refit, RunPlan
from lightning_emorec.runs.refit import describe_joined_clips, refit_run, require_validation
from lightning_emorec.runs.train_branches import BranchTrainer, available_branches

log = logging.getLogger(__name__)

Config = dict[str, Any]


def plan_fit(
    config: Config, data: EmotionDataModule, held: ExitStack, coordinator: Coordinator | None = None
) -> RunPlan:
    """Choose the run folder, and train the branches that a fusion lacks.

    Args:
        config: The run's resolved config; the configs of branches are inlined and resolved.
        data: Its datamodule.
        held: Gets the lock on the run folder.
        coordinator: Of all processes, where several were started together.

    Raises:
        EmorecError: Bad clips or splits, a recording in two parts, no branch that can be had, or a branch that
            did not finish; or the refit of a single model in several processes.
    """
    if config["branch_jobs"] < 1:
        raise EmorecError("at least 1 branch at a time", str(config["branch_jobs"]), "set --branch_jobs")
    branches = config["model"]["init_args"].get("branches")
    if config["refit"] and branches is None and coordinator is not None:  # it is over before its refit begins
        expected = "one process where --refit is set for a single model"
        found = "several, of which only the first would train the refit"
        fix = "start one process (--trainer.devices N makes the others), or fuse this one branch"
        raise EmorecError(expected, found, fix)
    if issubclass(branch_class(config["model"]), ClosedFormBranch):
        require_no_epochs(config["trainer"]["max_epochs"])
    if not data.parts.train:
        raise EmorecError("clips of training actors", "none", "choose another data.split")
    require_validation(config, data.parts)
    refuse_shared_recordings(data.parts, data.audio)
    warnings = _check(config)
    clips = describe_clips(data.parts, data.audio, data.tasks)
    if branches is not None:
        return replace(_plan_fusion(config, branches, data, clips, held, coordinator), warnings=warnings)
    spec = resolve_spec(config["model"], data.tasks)
    available_branches({"model": spec}, data.parts, "error")
    print_ = fingerprint(config, clips, branch_origins(spec))
    return RunPlan(open_folder(config, config["name"], print_, held), warnings=warnings)


def plan_evaluation(config: Config, verb: str, held: ExitStack) -> RunPlan:
    """Choose the folder of a `test` or `validate`, which trains nothing.

    Args:
        config: The resolved config.
        verb: Ends the folder's name.
        held: Gets the lock on the folder.
    """
    warnings = _check(config)
    if verb == "validate" and config["refit"] and "branches" in config["model"]["init_args"]:
        warnings.append("the branches were refitted on these actors too: speakers never heard are harder")
    return RunPlan(open_folder(config, f"{config['name']}-{verb}", uuid.uuid4().hex, held), warnings=warnings)


def _check(config: Config) -> list[str]:
    check_logger(config["trainer"]["logger"])
    warnings = known_training_overlap(config["model"], config["data"]["corpus"])
    for warning in warnings:
        log.warning("%s", warning)
    return warnings


def _plan_fusion(
    config: Config,
    branches: Mapping[str, Config],
    data: EmotionDataModule,
    clips: str,
    held: ExitStack,
    coordinator: Coordinator | None,
) -> RunPlan:
    specs = {name: resolve_spec(run["model"], data.tasks) for name, run in branches.items()}
    missing = config["model"]["init_args"]["missing_branch"]
    names, left_out = available_branches(specs, data.parts, missing)
    prints = {name: fingerprint(branches[name], clips, branch_origins(specs[name])) for name in names}
    folder = open_folder(config, config["name"], fusion_fingerprint(config, prints, clips), held)
    jobs = config["branch_jobs"] if coordinator is None else 1
    trainer = BranchTrainer(Path(config["runs"]), coordinator, in_background=jobs > 1)
    warn_of_other_versions(trainer.folder(name, prints[name]) for name in names)
    joined = describe_joined_clips(data) if config["refit"] else None

    def train(name: str, environment: Environment) -> Work[tuple[Path, Refit | None]]:
        first = yield from trainer.train(name, branches[name], prints[name], environment)
        if joined is None:
            return first, None
        run = refit_run(branches[name], first)
        print_ = fingerprint(run, joined, branch_origins(specs[name]))
        again = yield from trainer.train(name, run, print_, environment, refit_of=first)
        return first, Refit(again, run["trainer"]["max_epochs"])

    started = time.monotonic()
    tasks = [partial(train, name) for name in names]
    made = dict(zip(names, side_by_side(tasks, environments(jobs)), strict=True))
    seconds = trainer.seconds
    if seconds:  # less than their sum, where several were trained at a time
        seconds["branches"] = time.monotonic() - started
    folders = {name: first for name, (first, _) in made.items()}
    refits = {name: again for name, (_, again) in made.items() if again is not None}
    return RunPlan(folder, folders, left_out, seconds, refits=refits)


def open_folder(config: Config, name: str, print_: str, held: ExitStack) -> Path:
    """Claim the run folder, and write into it the config that repeats the run."""
    folder = claim_run_folder(Path(config["runs"]), name, print_, held)
    write_atomically(folder / "config.yaml", as_yaml(config))
    return folder
