"""Two ranks on one machine against one process that hears all their clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, distributed, multiprocessing, nn

from lightning_emorec.branches.ddp import take_buffers_of_first
from lightning_emorec.branches.spectral import LogMel
from lightning_emorec.distributed.sync_batch_norm import SyncBatchNormPlugin

RANKS = 2


def clips() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    loudness = torch.arange(1.0, 5.0)[:, None]  # so that ranks differ
    return loudness * torch.randn(4, 4000, generator=draw), torch.tensor([4000, 3000, 4000, 1600])


def hear(front: LogMel, rank: int, ranks: int) -> dict[str, Tensor]:
    audio, lengths = clips()
    for _ in range(2):  # a first batch, and one that is merged with it
        front(audio[rank::ranks], lengths[rank::ranks])
    return dict(front.state_dict())


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1))


def step(model: nn.Module, rank: int, ranks: int) -> dict[str, Tensor]:
    """Gradients of a global batch's mean loss, averaged over ranks as DDP does, and the state after it."""
    rows = torch.randn(8, 3, generator=torch.Generator().manual_seed(2))[rank::ranks]
    model(rows).square().mean().backward()
    found = dict(model.state_dict())
    for name, weight in model.named_parameters():
        gradient = cast(Tensor, weight.grad)
        if ranks > 1:
            distributed.all_reduce(gradient)
        found[f"{name}.grad"] = gradient / ranks
    return found


def log_mel() -> LogMel:
    return LogMel(16000, 40, 0.05, 0.016, -80.0)


def work(rank: int, folder: Path) -> None:
    distributed.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=RANKS)
    buffers = nn.BatchNorm1d(1)
    buffers.running_mean = torch.full((1,), float(rank))
    take_buffers_of_first(buffers)
    model = cast(nn.Module, SyncBatchNormPlugin().apply(network()))
    found = {
        "log_mel": hear(log_mel(), rank, RANKS),
        "network": step(model, rank, RANKS),
        "evaluated": model.eval()(torch.ones(1, 3)).detach(),
        "running_mean": buffers.running_mean,
    }
    torch.save(found, folder / f"{rank}.pt")
    distributed.barrier()
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each rank found."""
    folder = tmp_path_factory.mktemp("ranks")
    multiprocessing.spawn(work, (folder,), nprocs=RANKS)  # type: ignore[no-untyped-call, attr-defined]
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(RANKS)]


def test_log_mel_statistics_are_those_of_all_ranks_clips(ranks: list[dict[str, Any]]) -> None:
    alone = hear(log_mel(), 0, 1)
    for rank in ranks:
        torch.testing.assert_close(rank["log_mel"], alone, rtol=1e-5, atol=1e-5)
    assert alone["frames_heard"] > 0


def test_synchronised_batch_norms_learn_as_one_over_all_clips(ranks: list[dict[str, Any]]) -> None:
    alone = step(network(), 0, 1)
    for rank in ranks:
        torch.testing.assert_close(rank["network"], alone, rtol=1e-5, atol=1e-6)


def test_a_synchronised_batch_norm_evaluates_without_the_other_ranks(ranks: list[dict[str, Any]]) -> None:
    model = network()
    step(model, 0, 1)
    for rank in ranks:
        torch.testing.assert_close(rank["evaluated"], model.eval()(torch.ones(1, 3)), rtol=1e-5, atol=1e-6)


def test_before_a_validation_every_rank_takes_the_buffers_of_the_first(ranks: list[dict[str, Any]]) -> None:
    assert [float(rank["running_mean"]) for rank in ranks] == [0.0, 0.0]


def test_one_process_alone_keeps_its_buffers() -> None:
    norm = nn.BatchNorm1d(1)
    take_buffers_of_first(norm)
    assert float(cast(Tensor, norm.running_var)) == 1.0
