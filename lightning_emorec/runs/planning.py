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

import yaml

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.branches import (
    ClosedFormBranch,
    branch_class,
    branch_origins,
    require_no_epochs,
    resolve_spec,
)
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.distributed.rendezvous import Leader
from lightning_emorec.errors import EmorecError
from lightning_emorec.jobs.child import Work
from lightning_emorec.jobs.environments import Environment, environments
from lightning_emorec.jobs.pool import side_by_side
from lightning_emorec.loggers.wandb_run import check_logger
from lightning_emorec.runs.fingerprint import describe_clips, fingerprint
from lightning_emorec.runs.folder import claim_run_folder, warn_of_other_versions
from lightning_emorec.runs.leakage import refuse_shared_recordings, taught_on
from lightning_emorec.runs.plan import Refit, RunPlan
from lightning_emorec.runs.refit import describe_joined_clips, refit_folder, refit_run, require_validation
from lightning_emorec.runs.train_branches import available_branches, train_branch

log = logging.getLogger(__name__)

Config = dict[str, Any]

BRANCHES = "branches"  # folder of trained branches, among the runs


def decide(config: Config, data: EmotionDataModule, held: ExitStack, leader: Leader | None = None) -> RunPlan:
    """Choose the run folder, and train the branches that a fusion lacks.

    Args:
        config: The run's resolved config; the configs of branches are inlined and resolved.
        data: Its datamodule.
        held: Gets the lock on the run folder.
        leader: To the other processes, where several were started together.

    Raises:
        EmorecError: Bad clips or splits, a recording in two parts, no branch that can be had, or a branch that
            did not finish; or the refit of a single model in several processes.
    """
    if config["branch_jobs"] < 1:
        raise EmorecError("branch_jobs of at least 1", str(config["branch_jobs"]), "mend branch_jobs")
    branches = config["model"]["init_args"].get("branches")
    if config["refit"] and branches is None and leader is not None:  # it is over before its refit begins
        found = "several, of which only the first would train the refit"
        fix = "start one process (--trainer.devices N makes the others), or fuse this one branch"
        raise EmorecError("one process to start the refit of a single model", found, fix)
    if issubclass(branch_class(config["model"]), ClosedFormBranch):
        require_no_epochs(config["trainer"]["max_epochs"])
    require_validation(config, data.parts)
    refuse_shared_recordings(data.parts, data.audio)
    warnings = _check(config)
    clips = describe_clips(data.parts, data.audio, data.tasks)
    if branches is not None:
        return replace(_decide_fusion(config, branches, data, clips, held, leader), warnings=warnings)
    spec = resolve_spec(config["model"], data.tasks)
    available_branches({"model": spec}, data.parts, "error")
    print_ = fingerprint(config, clips, branch_origins(spec))
    return RunPlan(open_folder(config, config["name"], print_, held), warnings=warnings)


def decide_judging(config: Config, verb: str, held: ExitStack) -> RunPlan:
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
    warnings = taught_on(config["model"], config["data"]["corpus"])
    for warning in warnings:
        log.warning("%s", warning)
    return warnings


def _decide_fusion(
    config: Config,
    branches: Mapping[str, Config],
    data: EmotionDataModule,
    clips: str,
    held: ExitStack,
    leader: Leader | None,
) -> RunPlan:
    specs = {name: resolve_spec(run["model"], data.tasks) for name, run in branches.items()}
    missing = config["model"]["init_args"]["missing_branch"]
    names, left_out = available_branches(specs, data.parts, missing)
    prints = {name: fingerprint(branches[name], clips, branch_origins(specs[name])) for name in names}
    folder = open_folder(config, config["name"], fusion_fingerprint(config, prints, clips), held)
    jobs = config["branch_jobs"] if leader is None else 1
    warn_of_other_versions(Path(config["runs"]) / BRANCHES / f"{name}-{prints[name]}" for name in names)
    store = _Store(Path(config["runs"]), leader, jobs)
    joined = describe_joined_clips(data) if config["refit"] else None

    def trained(name: str, environment: Environment) -> Work[tuple[Path, Refit | None]]:
        first = yield from store.trained(name, branches[name], prints[name], environment)
        if joined is None:
            return first, None
        run = refit_run(branches[name], first)
        print_ = fingerprint(run, joined, branch_origins(specs[name]))
        again = yield from store.trained(name, run, print_, environment, refit_of=first)
        return first, Refit(again, run["trainer"]["max_epochs"])

    started = time.monotonic()
    tasks = [partial(trained, name) for name in names]
    made = dict(zip(names, side_by_side(tasks, environments(jobs)), strict=True))
    if store.seconds:  # less than their sum, where several were trained at a time
        store.seconds["branches"] = time.monotonic() - started
    folders = {name: first for name, (first, _) in made.items()}
    refits = {name: again for name, (_, again) in made.items() if again is not None}
    return RunPlan(folder, folders, left_out, store.seconds, refits=refits)


def decide_refit(config: Config, data: EmotionDataModule, selecting: Path) -> tuple[Refit, Config]:
    """Where and how the model of a run that is no fusion is trained once more.

    Args:
        config: The run's resolved config.
        data: Its datamodule.
        selecting: Its folder, with its best checkpoint.

    Returns:
        The refit, and the config of its `fit`.
    """
    run = refit_run(config, selecting)
    origins = branch_origins(resolve_spec(config["model"], data.tasks))
    folder = refit_folder(selecting, fingerprint(run, describe_joined_clips(data), origins))
    run["name"] = str(folder.relative_to(config["runs"]))
    return Refit(folder, run["trainer"]["max_epochs"]), run


class _Store:
    """Trains branches among the `runs`, each in the folder that its fingerprint names, and notes the seconds."""

    def __init__(self, runs: Path, leader: Leader | None, jobs: int) -> None:
        self.runs = runs
        self.leader = leader
        self.jobs = jobs
        self.seconds: dict[str, float] = {}

    def trained(
        self, name: str, config: Config, print_: str, environment: Environment, refit_of: Path | None = None
    ) -> Work[Path]:
        folder = self.runs / BRANCHES / f"{name}-{print_}"
        label = f"{name} (refit)" if refit_of else name
        run = {**config, "runs": str(self.runs), "name": f"{BRANCHES}/{folder.name}"}
        training = train_branch(label, run, folder, environment, self.leader, refit_of, self.jobs > 1)
        if spent := (yield from training):
            self.seconds[f"branch {label}"] = spent
        return folder


def fusion_fingerprint(config: Config, prints: Mapping[str, str], clips: str) -> str:
    """The fingerprint of a fusion: each branch's own says all that its config does.

    Args:
        config: The fused run's resolved config.
        prints: Branch name -> fingerprint, of the branches that are fused.
        clips: What `describe_clips` said.
    """
    model = config["model"]
    with_prints = {**model, "init_args": {**model["init_args"], "branches": dict(prints)}}
    return fingerprint({**config, "model": with_prints}, clips, [])


def open_folder(config: Config, name: str, print_: str, held: ExitStack) -> Path:
    """Claim the run folder, and write into it the config that repeats the run."""
    folder = claim_run_folder(Path(config["runs"]), name, print_, held)
    write_atomically(folder / "config.yaml", yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    return folder
