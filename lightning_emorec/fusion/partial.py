"""Branches that have seen only some of the clips, beside others that have seen them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lightning_emorec.metrics import PartLogits
from lightning_emorec.types import Logits


def widest(parts: Mapping[str, PartLogits]) -> PartLogits:
    """The part of a branch that has seen the most clips."""
    return max(parts.values(), key=lambda part: len(part.clip_ids))


def seen(part: PartLogits, clip_ids: Sequence[str]) -> Tensor:
    """(clips,) bool: which of these clips a branch has logits for."""
    known = set(part.clip_ids)
    return torch.tensor([clip in known for clip in clip_ids])


def spread(logits: Logits, kept: Tensor) -> Logits:
    """Put rows where `kept`, (clips,) bool, is true, and zeros elsewhere: task -> (clips, classes).

    The zeros only hold the place: a rule must not be given them.
    """
    places = kept.nonzero().flatten()
    return {
        task: rows.new_zeros(len(kept), rows.shape[1]).index_copy(0, places, rows)
        for task, rows in logits.items()
    }
