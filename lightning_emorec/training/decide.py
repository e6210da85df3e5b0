"""Decides what a `fit` will do: where it runs, what it reuses, what it trains first."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from lightning_emorec.branches import (
    ClosedFormBranch,
    branch_class,
    branch_features,
    require_no_epochs,
    resolve_spec,
)
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.training.agree import Leader
from lightning_emorec.training.fingerprint import describe_clips, fingerprint
from lightning_emorec.training.guards import refuse_shared_recordings, taught_on
from lightning_emorec.training.missing import available_branches, train_branch
from lightning_emorec.training.plan import RunPlan
from lightning_emorec.training.run_folder import claim_run_folder, write_atomically

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
            did not finish.
    """
    if issubclass(branch_class(config["model"]), ClosedFormBranch):
        require_no_epochs(config["trainer"]["max_epochs"])
    refuse_shared_recordings(data.parts, data.audio)
    warnings = _warn(config)
    clips = describe_clips(data.parts, data.audio)
    branches = config["model"]["init_args"].get("branches")
    if branches is not None:
        return replace(_decide_fusion(config, branches, data, clips, held, leader), warnings=warnings)
    spec = resolve_spec(config["model"], data.tasks)
    available_branches({"model": spec}, data.tasks, data.parts, "error")
    print_ = fingerprint(config, clips, branch_features(spec))
    return RunPlan(open_folder(config, config["name"], print_, held), warnings=warnings)


def decide_judging(config: Config, verb: str, held: ExitStack) -> RunPlan:
    """Choose the folder of a `test` or `validate`, which trains nothing.

    Args:
        config: The resolved config.
        verb: Ends the folder's name.
        held: Gets the lock on the folder.
    """
    warnings = _warn(config)
    return RunPlan(open_folder(config, f"{config['name']}-{verb}", uuid.uuid4().hex, held), warnings=warnings)


def _warn(config: Config) -> list[str]:
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
    names, left_out = available_branches(
        specs, data.tasks, data.parts, config["model"]["init_args"]["missing_branch"]
    )
    prints = {name: fingerprint(branches[name], clips, branch_features(specs[name])) for name in names}
    folder = open_folder(config, config["name"], fusion_fingerprint(config, prints, clips), held)
    folders, seconds = {}, {}
    for name in names:
        folders[name] = Path(config["runs"]) / BRANCHES / f"{name}-{prints[name]}"
        run = {**branches[name], "runs": config["runs"], "name": f"{BRANCHES}/{folders[name].name}"}
        if spent := train_branch(name, run, folders[name], leader):
            seconds[f"branch {name}"] = spent
    return RunPlan(folder, folders, left_out, seconds)


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
