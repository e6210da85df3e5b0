"""Trains the branches that a fusion run lacks, each in a process of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.audio import paths_of, with_audio
from lightning_emorec.branches import Spec, branch_class, needs_audio
from lightning_emorec.distributed.rendezvous import Leader
from lightning_emorec.errors import EmorecError, UnavailableError
from lightning_emorec.jobs.child import LOG, Child, Work, fit_command
from lightning_emorec.jobs.environments import Environment
from lightning_emorec.runs.folder import is_done
from lightning_emorec.runs.leakage import taught_on
from lightning_emorec.runs.overrides import override
from lightning_emorec.runs.plan import PLAN_VARIABLE, RunPlan
from lightning_emorec.splits import Parts

log = logging.getLogger(__name__)

Config = dict[str, Any]

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
            fix = "set it on the fused run, or leave it out of model.init_args.overrides"
            raise EmorecError("overrides of what a branch decides for itself", key, fix)
    run = override(branch, overrides)
    for section, keys in (("data", SHARED_DATA), ("trainer", SHARED_TRAINER)):
        run[section] = {**(run.get(section) or {}), **{key: fused[section][key] for key in keys}}
    wanted = (part["trainer"].get("sync_batchnorm") for part in (run, fused))
    run["trainer"]["sync_batchnorm"] = any(wanted)  # asked of the branch, or of all: it is about the devices
    run["seed_everything"] = fused["seed_everything"]
    run["trainer"]["logger"] = (
        None  # one command, one W&B run: the fused run's shows the branch's metrics.csv
    )
    run["test_after_fit"] = False  # test clips are heard once, when every choice is made
    run["refit"] = False  # the fused run refits all its branches, or none
    return run


def available_branches(
    specs: Mapping[str, Spec], parts: Parts, missing_branch: Literal["skip", "error"]
) -> tuple[list[str], dict[str, str]]:
    """Ask every branch, before any is trained, whether it can be had here.

    Args:
        specs: Name -> what `resolve_spec` made of it.
        parts: Clips that are trained on and judged.
        missing_branch: What to do about one that cannot.

    Returns:
        Names of those that can, and name -> reason for those left out.

    Raises:
        UnavailableError: One cannot be had and `missing_branch` is `error`, or none can.
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
        raise UnavailableError(
            "at least one branch that can be had here", "; ".join(left_out.values()), "provide one of them"
        )
    return names, left_out


def _check_available(name: str, spec: Spec, parts: Parts) -> None:
    if needs_audio(spec):
        for clips in (parts.train, parts.val, parts.test):
            if clips and not with_audio(clips):
                paths_of(clips)  # says what is missing
        if mute := [clip.id for clip in parts.clips if clip.path is None]:
            log.warning(
                "branch %s skips %d of %d clips, which have no audio, e.g. %s",
                name,
                len(mute),
                len(parts.clips),
                mute[0],
            )
    branch_class(spec).check_available(spec["init_args"])


def train_branch(
    name: str,
    config: Config,
    folder: Path,
    environment: Environment,
    leader: Leader | None = None,
    refit_of: Path | None = None,
    in_background: bool = False,
) -> Work[float]:
    """Train a branch in a child process, unless its folder is done.

    Args:
        name: Of the branch.
        config: Of its run.
        folder: Of its run.
        environment: Of the child.
        leader: To the other processes, where several were started together: each has a child, and these train
            the branch together.
        refit_of: Folder of the run that this one is the refit of.
        in_background: Write the child's output into the folder, as where several are trained at a time.

    Returns:
        Seconds spent; 0 if the branch was there.

    Raises:
        EmorecError: The child did not finish.
    """
    if is_done(folder):
        log.info("branch %s: reused from %s", name, folder)
        return 0.0
    log_file = folder / LOG if in_background else None
    log.info("branch %s: training in %s", name, log_file or folder)
    if log_file:
        config = {**config, "trainer": {**config["trainer"], "enable_progress_bar": False}}
    write_atomically(folder / "config.yaml", yaml.safe_dump(config, sort_keys=False))
    start = time.monotonic()
    if leader:
        environment = leader.fit_environment(folder)
    warnings = taught_on(config["model"], config["data"]["corpus"])
    plan = RunPlan(folder, warnings=warnings, refit_of=refit_of)
    command = fit_command("--config", str(folder / "config.yaml"))
    code = yield from Child(
        command, {**environment, PLAN_VARIABLE: plan.as_text()}, log_file, title=f"branch {name}"
    ).until_ended()
    if code:
        raise EmorecError(
            f"branch {name} to finish",
            f"exit status {code} (see {log_file or 'above'})",
            "run the same command again: it goes on from the branch's last epoch",
        )
    spent = time.monotonic() - start
    log.info("branch %s: trained in %.0f s", name, spent)
    return spent
