"""What the ranks of a distributed run share of a branch: sums, buffers and the logits of a whole part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, distributed, nn

from lightning_emorec.part_logits import PartLogits
from lightning_emorec.speaker_scores import SpeakerScores
from lightning_emorec.types import Batch, Logits


def sum_over_ranks(values: Tensor) -> Tensor:
    """The sum of every rank's values, in place, the same on all of them; no gradient passes."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(values)
    return values


@torch.no_grad()
def take_buffers_of_first(module: nn.Module) -> None:
    """Give every rank the buffers of the first, such as running statistics, which each gathers from its own clips.

    DDP does so before each training step. After the last one before a validation they differ, and a clip's
    logits would depend on which rank judges it.
    """
    if distributed.is_available() and distributed.is_initialized():
        for buffer in module.buffers():
            distributed.broadcast(buffer, src=0)


class Collector:
    """Keeps the logits of an evaluation loop until its end.

    Metrics computed from whole logits are exact for any batch size and any number of ranks; means over batches
    are not. A sampler that pads the last rank repeats clips, so repeats are dropped by `Batch.index`.
    """

    def __init__(self) -> None:
        self._index: list[Tensor] = []
        self._logits: list[Logits] = []
        self._labels: list[dict[str, Tensor]] = []
        self._speakers: list[dict[str, SpeakerScores]] = []

    def add(self, batch: Batch, logits: Logits, speakers: Mapping[str, SpeakerScores] = {}) -> None:
        """Keep one batch, with what adaptation to a speaker takes of it by task."""
        self._index.append(batch.index.detach())
        self._logits.append({task: rows.detach().float() for task, rows in logits.items()})
        self._labels.append(batch.labels)
        self._speakers.append(dict(speakers))

    def take(self, module: LightningModule, clip_ids: list[str]) -> PartLogits:
        """Everything kept so far on all ranks, each clip once, in the part's order; then forget it.

        Args:
            module: Whose process group is gathered over.
            clip_ids: Ids of the part's clips; `Batch.index` points into them.
        """
        index = _gather(module, torch.cat(self._index))
        first = _first_occurrences(index)
        kept = index[first]

        def whole(rows: Sequence[Mapping[str, Tensor]], task: str) -> Tensor:
            return _gather(module, torch.cat([row[task] for row in rows]))[first]

        def whole_speakers(task: str) -> SpeakerScores:
            states = [batch[task].to_state() for batch in self._speakers]
            return SpeakerScores.of_state({name: whole(states, name) for name in states[0]})

        part = PartLogits(
            clip_ids=[clip_ids[i] for i in kept.tolist()],
            logits={task: whole(self._logits, task) for task in self._logits[0]},
            labels={task: whole(self._labels, task) for task in self._logits[0]},
            speakers={task: whole_speakers(task) for task in self._speakers[0]},
        )
        self.__init__()  # type: ignore[misc]
        return part


def _gather(module: LightningModule, rows: Tensor) -> Tensor:
    if module.trainer.world_size > 1:
        ranks = cast(Tensor, module.all_gather(rows))  # (ranks, rows, ...)
        rows = ranks.flatten(0, 1)
    return rows.cpu()


def _first_occurrences(index: Tensor) -> Tensor:
    """Positions of each distinct value's first occurrence, in the order of the values."""
    order = torch.argsort(index, stable=True)
    values = index[order]
    new = torch.ones_like(values, dtype=torch.bool)
    new[1:] = values[1:] != values[:-1]
    return order[new]
