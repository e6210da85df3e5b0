from __future__ import annotations

import pytest
import torch

from lightning_emorec.jobs.environments import environments


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight cores and two GPUs."""
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


def test_children_are_no_part_of_a_launch_around_them(monkeypatch: pytest.MonkeyPatch) -> None:
    launched = {"TORCHELASTIC_RUN_ID": "none", "RANK": "0", "WORLD_SIZE": "2", "SLURM_NTASKS": "2"}
    for name, value in launched.items():
        monkeypatch.setenv(name, value)
    for environment in environments(jobs=2):
        assert environment.keys().isdisjoint(launched)


def test_one_job_has_all_cores_and_gpus() -> None:
    [environment] = environments(1, one_gpu_each=True)
    assert environment.keys().isdisjoint({"OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"})


def test_jobs_share_the_cores_unless_the_user_sets_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [environment["OMP_NUM_THREADS"] for environment in environments(3)] == ["2"] * 3
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert [environment["OMP_NUM_THREADS"] for environment in environments(3)] == ["5"] * 3


def test_jobs_take_turns_on_the_gpus_that_are_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    def gpus() -> list[str]:
        return [environment["CUDA_VISIBLE_DEVICES"] for environment in environments(3, one_gpu_each=True)]

    assert gpus() == ["0", "1", "0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6,7")
    assert gpus() == ["4", "6", "7"]


def test_jobs_see_all_gpus_unless_each_is_to_have_one() -> None:
    assert all("CUDA_VISIBLE_DEVICES" not in environment for environment in environments(3))
