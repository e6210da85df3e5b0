"""Environment variables of child processes: which are inherited, and their share of cores and GPUs."""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch

Environment = dict[str, str]

# Variables by which Lightning and torch detect that a process is one of several ranks.
_OF_A_GROUP = {
    *("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE", "NODE_RANK"),
    *("ROLE_RANK", "ROLE_WORLD_SIZE", "ROLE_NAME", "MASTER_ADDR", "MASTER_PORT"),
    *("SLURM_NTASKS", "SLURM_NTASKS_PER_NODE", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"),
}
_OF_TORCHRUN = "TORCHELASTIC_"


def environment_alone(environment: Mapping[str, str]) -> Environment:
    """A copy of an environment without the variables of a process group."""
    return {
        name: value
        for name, value in environment.items()
        if name not in _OF_A_GROUP and not name.startswith(_OF_TORCHRUN)
    }


def environments(jobs: int, one_gpu_each: bool = False) -> list[Environment]:
    """One environment for each of the jobs that run at a time, with a share of the cores.

    With `one_gpu_each` the GPUs are assigned to the jobs in turn; else every job sees all GPUs.
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
