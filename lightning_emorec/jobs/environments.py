"""The environment variables of child processes: what they inherit, and their share of cores and GPUs."""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch

Environment = dict[str, str]

# What makes Lightning or torch take a process for one of several.
_OF_A_GROUP = {
    *("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE", "NODE_RANK"),
    *("ROLE_RANK", "ROLE_WORLD_SIZE", "ROLE_NAME", "MASTER_ADDR", "MASTER_PORT"),
    *("SLURM_NTASKS", "SLURM_NTASKS_PER_NODE", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"),
}
_OF_TORCHRUN = "TORCHELASTIC_"


def environment_alone(environment: Mapping[str, str]) -> Environment:
    """An environment for a process that is no part of the group that this one is in."""
    return {
        name: value
        for name, value in environment.items()
        if name not in _OF_A_GROUP and not name.startswith(_OF_TORCHRUN)
    }


def environments(jobs: int, one_gpu_each: bool = False) -> list[Environment]:
    """One environment for each of the jobs that run at a time: a share of the cores, and of the GPUs if asked.

    Args:
        jobs: How many run at a time.
        one_gpu_each: Let several jobs take turns on the GPUs, one each; else all see all of them.
    """
    own = {**environment_alone(os.environ), "PYTHONUNBUFFERED": "1"}
    if jobs == 1:
        return [own]
    own.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
    gpus = _visible_gpus() if one_gpu_each else []
    return [
        {**own, "CUDA_VISIBLE_DEVICES": gpus[job % len(gpus)]} if gpus else {**own} for job in range(jobs)
    ]


def _visible_gpus() -> list[str]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",") if visible else [str(gpu) for gpu in range(torch.cuda.device_count())]
