"""The processes that torchrun or Slurm started together: which of them this one is, and what its children inherit."""

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
    """A start of several processes at once, seen from one of them.

    Attributes:
        rank: Which process this is, of all on all machines.
        world: How many there are.
        machines: On how many machines they are.
    """

    rank: int
    world: int
    machines: int

    @classmethod
    def of_environment(cls) -> Launch | None:
        """What torchrun or Slurm left in the environment; None where this process was started by itself.

        `MASTER_ADDR` and `MASTER_PORT` are in the environment afterwards, as Lightning would choose them.

        Raises:
            EmorecError: Slurm started several tasks without being told how many a machine.
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
    """Make `trainer.devices` and `num_nodes` those of the launch, where they are left as they are by default.

    Args:
        launch: Of this process.
        trainer: The config's section, which is changed.

    Raises:
        EmorecError: They ask for other processes than were started, or for several machines without a launcher.
    """
    if launch is None:
        if SLURMEnvironment.detect():  # Lightning would look for the task's number, and crash
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
    """An environment for a child that meets the children of the other ranks, at a port of their own.

    At the parents' port they would find what their parents, or earlier children, said to each other.
    """
    return {**environment, "MASTER_PORT": str(port), "TORCHELASTIC_USE_AGENT_STORE": "False"}


def leave_launch() -> None:
    """Make this process, and those it starts, one of its own."""
    alone = environment_alone(os.environ)
    for name in [*os.environ]:
        if name not in alone:
            del os.environ[name]


def refuse_other_ranks(verb: str) -> None:
    """Check that a verb which starts `fit`s by itself is started once.

    Raises:
        EmorecError: This is another process than the first.
    """
    launch = Launch.of_environment()
    if launch is not None and launch.rank:
        raise EmorecError(
            f"`{verb}` to be started once",
            f"process {launch.rank} of {launch.world}",
            "start it without torchrun or srun; `-- --trainer.devices N` gives each of its fits N devices",
        )
