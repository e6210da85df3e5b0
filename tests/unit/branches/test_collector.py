from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule

from lightning_emorec.branches import Collector
from lightning_emorec.types import Batch


def batch(index: list[int]) -> Batch:
    rows = torch.tensor(index)
    return Batch(
        [str(i) for i in index], rows, torch.zeros(len(index), 1), torch.ones(len(index)), {"emotion": rows}
    )


def logits(index: list[int]) -> dict[str, torch.Tensor]:
    return {"emotion": torch.tensor(index).float()[:, None].repeat(1, 2)}


def module(world_size: int, **more: Any) -> LightningModule:
    return cast(LightningModule, SimpleNamespace(trainer=SimpleNamespace(world_size=world_size), **more))


def test_batches_in_any_order_come_out_in_the_order_of_the_part() -> None:
    collector = Collector()
    for index in ([2, 0], [1]):
        collector.add(batch(index), logits(index))
    part = collector.take(module(1), ["a", "b", "c"])
    assert part.clip_ids == ["a", "b", "c"]
    assert part.logits["emotion"][:, 0].tolist() == [0, 1, 2]
    assert part.labels["emotion"].tolist() == [0, 1, 2]


def test_a_clip_that_padding_repeated_counts_once() -> None:
    collector = Collector()
    collector.add(batch([0, 2]), logits([0, 2]))

    def all_gather(rows: torch.Tensor) -> torch.Tensor:
        other = torch.ones_like(rows)  # the other rank saw clip 1 twice
        return torch.stack([rows, other])

    part = collector.take(module(2, all_gather=all_gather), ["a", "b", "c"])
    assert part.clip_ids == ["a", "b", "c"]
    assert part.logits["emotion"][:, 0].tolist() == [0, 1, 2]


def test_a_collector_forgets_what_was_taken() -> None:
    collector = Collector()
    collector.add(batch([0]), logits([0]))
    collector.take(module(1), ["a", "b"])
    collector.add(batch([1]), logits([1]))
    assert collector.take(module(1), ["a", "b"]).clip_ids == ["b"]
