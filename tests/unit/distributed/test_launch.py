from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from lightning_emorec.distributed.launch import (
    Launch,
    environment_alone,
    environment_of_child,
    leave_launch,
    refuse_other_ranks,
    use_processes_of,
)
from lightning_emorec.errors import EmorecError

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "GROUP_WORLD_SIZE": "2",
    "MASTER_ADDR": "10.0.0.1",
    "MASTER_PORT": "29500",
}
SLURM = {
    "SLURM_NTASKS": "4",
    "SLURM_NTASKS_PER_NODE": "2",
    "SLURM_NNODES": "2",
    "SLURM_PROCID": "2",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "1",
    "SLURM_NODELIST": "node[7-8]",
    "SLURM_JOB_ID": "123456",
}


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*TORCHRUN, *SLURM, "SLURM_JOB_NAME"]:
        monkeypatch.setenv(name, "")  # so that what a test sets or removes is put back
        monkeypatch.delenv(name)


def setenv(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], *without: str) -> None:
    for name, value in variables.items():
        if name not in without:
            monkeypatch.setenv(name, value)


def trainer(devices: object = "auto", num_nodes: int = 1) -> SimpleNamespace:
    return SimpleNamespace(devices=devices, num_nodes=num_nodes)


def test_a_process_started_by_itself_is_part_of_no_launch() -> None:
    assert Launch.of_environment() is None


def test_rank_and_world_size_are_read_from_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    setenv(monkeypatch, TORCHRUN)
    launch = Launch.of_environment()
    assert launch == Launch(rank=3, world=4, machines=2)
    assert launch.processes == 2


def test_rank_and_address_are_read_from_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    setenv(monkeypatch, SLURM)
    assert Launch.of_environment() == Launch(rank=2, world=4, machines=2)
    assert (os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]) == ("node7", "18456")


def test_slurm_tasks_of_unknown_machines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    setenv(monkeypatch, SLURM, "SLURM_NTASKS_PER_NODE")
    with pytest.raises(EmorecError, match="--ntasks-per-node"):
        Launch.of_environment()


def test_a_slurm_allocation_without_srun_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    setenv(monkeypatch, SLURM, "SLURM_PROCID")
    with pytest.raises(EmorecError, match="srun"):
        use_processes_of(Launch.of_environment(), trainer())


def test_devices_and_machines_are_those_that_were_started() -> None:
    config = trainer()
    use_processes_of(Launch(0, 4, 2), config)
    assert (config.devices, config.num_nodes) == (2, 2)


@pytest.mark.parametrize("devices", [2, "2", [0, 1], "0,1"])
def test_devices_that_agree_with_the_launch_are_left_alone(devices: object) -> None:
    config = trainer(devices, 2)
    use_processes_of(Launch(0, 4, 2), config)
    assert (config.devices, config.num_nodes) == (devices, 2)


@pytest.mark.parametrize(("devices", "machines"), [(4, 2), (2, 4), ("0,1,2", 2)])
def test_other_devices_than_were_started_are_refused(devices: object, machines: int) -> None:
    with pytest.raises(EmorecError, match=r"trainer.devices 2 and trainer.num_nodes 2"):
        use_processes_of(Launch(0, 4, 2), trainer(devices, machines))


def test_several_machines_need_a_launcher() -> None:
    with pytest.raises(EmorecError, match="torchrun or srun"):
        use_processes_of(None, trainer(1, 2))


def test_a_process_of_its_own_inherits_nothing_of_the_group() -> None:
    environment = {**TORCHRUN, **SLURM, "HOME": "/home/a", "SLURM_CPUS_PER_TASK": "8"}
    alone = environment_alone(environment)
    assert {"HOME", "SLURM_CPUS_PER_TASK", "SLURM_JOB_ID"} <= alone.keys()
    assert alone.keys().isdisjoint({*TORCHRUN, "SLURM_NTASKS", "SLURM_PROCID"})


def test_after_leaving_a_launch_a_process_is_one_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    setenv(monkeypatch, {**TORCHRUN, **SLURM})
    leave_launch()
    assert Launch.of_environment() is None


def test_children_of_a_group_keep_their_ranks_and_meet_elsewhere() -> None:
    child = environment_of_child(TORCHRUN, 40000)
    assert (child["RANK"], child["WORLD_SIZE"], child["MASTER_PORT"]) == ("3", "4", "40000")
    assert child["TORCHELASTIC_USE_AGENT_STORE"] == "False"


def test_a_verb_that_starts_fits_runs_in_the_first_process_only(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_other_ranks("crossval")
    setenv(monkeypatch, {**TORCHRUN, "RANK": "0"})
    refuse_other_ranks("crossval")
    setenv(monkeypatch, TORCHRUN)
    with pytest.raises(EmorecError, match=r"`crossval` to be started once; found process 3 of 4"):
        refuse_other_ranks("crossval")
