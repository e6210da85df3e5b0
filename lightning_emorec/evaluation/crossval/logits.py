"""Logits of clips put together and taken apart."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lightning_emorec.metrics import PartLogits


def join(parts: Sequence[PartLogits]) -> PartLogits:
    """The clips of several parts, in their order.

    Raises:
        ValueError: A clip is in two of them.
    """
    ids = [clip for part in parts for clip in part.clip_ids]
    if len(set(ids)) != len(ids):
        raise ValueError(f"{len(ids) - len(set(ids))} clips are in two parts")
    return PartLogits(
        ids,
        {task: torch.cat([part.logits[task] for part in parts]) for task in parts[0].logits},
        {task: torch.cat([part.labels[task] for part in parts]) for task in parts[0].labels},
    )


def select(part: PartLogits, clip_ids: Sequence[str]) -> PartLogits:
    """Some clips of a part, in the order asked for.

    Raises:
        KeyError: A clip is not in the part.
    """
    row = {clip: index for index, clip in enumerate(part.clip_ids)}
    rows = [row[clip] for clip in clip_ids]
    return PartLogits(
        list(clip_ids),
        {task: logits[rows] for task, logits in part.logits.items()},
        {task: labels[rows] for task, labels in part.labels.items()},
    )
