"""Processes that torchrun or Slurm started together: rank and world size, and the environment of their children."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from lightning_emorec.errors import EmorecError
from lightning_emorec.jobs.environments import environment_alone


@dataclass(frozen=True)
class Launch:
    """A launch of several processes, as seen by one of them.

    Attributes:
        rank: Global rank of this process.
        world: Number of processes on all machines.
        machines: Number of machines.
    """

    rank: int
    world: int
    machines: int

    @classmethod
    def of_environment(cls) -> Launch | None:
        """Read the launch from the variables of torchrun or Slurm; None if this process was started alone.

        Sets `MASTER_ADDR` and `MASTER_PORT` to the values that Lightning would choose.
        """
        if TorchElasticEnvironment.detect():
            rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
            return cls(rank, world, int(os.environ.get("GROUP_WORLD_SIZE", "1")))
        if not SLURMEnvironment.detect() or "SLURM_PROCID" not in os.environ:
            return None
        try:
            slurm = SLURMEnvironment()
        except RuntimeError as error:
            fix = "set --ntasks-per-node, one for each GPU, in place of --ntasks"
            raise EmorecError("Slurm's number of tasks a machine", "--ntasks alone", fix) from error
        _ = slurm.main_address, slurm.main_port  # reading them sets the variables
        machines = int(os.environ.get("SLURM_NNODES", "1"))
        return cls(slurm.global_rank(), slurm.world_size(), machines)

    @property
    def processes(self) -> int:
        """Processes on each machine."""
        return self.world // self.machines


def use_processes_of(launch: Launch | None, trainer: Any) -> None:
    """Set `devices` and `num_nodes` in the config's section `trainer` to those of the launch if they have defaults.

    Raises:
        EmorecError: They do not match the launched processes, or need a launcher that is missing.
    """
    if launch is None:
        if SLURMEnvironment.detect():  # Lightning would read SLURM_PROCID, which is not set, and crash
            fix = "put srun before the command, or unset SLURM_NTASKS"
            raise EmorecError("srun to start the tasks of a Slurm allocation", "a process without it", fix)
        if trainer.num_nodes > 1 and "LOCAL_RANK" not in os.environ:
            expected = "torchrun or srun to start a run on several machines"
            fix = "see docs/scaling.md, or set trainer.num_nodes 1"
            raise EmorecError(expected, f"trainer.num_nodes {trainer.num_nodes} and neither of them", fix)
        return
    if trainer.devices == "auto":
        trainer.devices = launch.processes
    if trainer.num_nodes == 1:
        trainer.num_nodes = launch.machines
    asked = _count(trainer.devices)
    if (asked, trainer.num_nodes) != (launch.processes, launch.machines):
        raise EmorecError(
            f"trainer.devices {launch.processes} and trainer.num_nodes {launch.machines}, as processes were started",
            f"{trainer.devices} and {trainer.num_nodes}",
            "leave both out, or start one process for each device",
        )


def _count(devices: Any) -> int:
    if isinstance(devices, list):
        return len(devices)
    return len(devices.split(",")) if isinstance(devices, str) and "," in devices else int(devices)


def environment_of_child(environment: Mapping[str, str], port: int) -> dict[str, str]:
    """The environment of a child that joins a group with the children of the other ranks, on a separate port.

    The store at the parents' port still holds keys of the parents and of earlier children.
    """
    return {**environment, "MASTER_PORT": str(port), "TORCHELASTIC_USE_AGENT_STORE": "False"}


def leave_launch() -> None:
    """Delete the launcher's environment variables, so that this process and its children run outside the group."""
    alone = environment_alone(os.environ)
    for name in [*os.environ]:
        if name not in alone:
            del os.environ[name]


def refuse_other_ranks(verb: str) -> None:
    """Check that a verb which starts its own `fit`s was not launched in several processes."""
    launch = Launch.of_environment()
    if launch is not None and launch.rank:
        raise EmorecError(
            f"`{verb}` to be started once",
            f"process {launch.rank} of {launch.world}",
            "start it without torchrun or srun; `-- --trainer.devices N` gives each of its fits N devices",
        )
