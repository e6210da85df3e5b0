"""Branches that have seen only some of the clips, beside others that have seen them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lightning_emorec.fusion.rule import FusionRule
from lightning_emorec.part_logits import PartLogits
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


def fit_rule(
    rule: FusionRule, logits: Tensor, labels: Tensor, has_audio: Tensor, deaf: list[int]
) -> FusionRule | None:
    """Fit a rule to the clips that all branches have seen, and a second one for clips without audio.

    Args:
        rule: To be fitted.
        logits: (branches, clips, classes).
        labels: (clips,) class indices, none of them `UNLABELLED`.
        has_audio: (clips,) bool.
        deaf: Places of the branches that need no audio.

    Returns:
        The rule for clips without audio, over the branches that need none; None where all branches do, or none.
    """
    rule.fit(logits[:, has_audio], labels[has_audio])
    if not 0 < len(deaf) < len(logits):
        return None
    without = rule.restricted(deaf)
    without.fit(logits[deaf], labels)
    return without


def fuse_rule(
    rule: FusionRule, without: FusionRule | None, logits: Tensor, has_audio: Tensor | None, deaf: list[int]
) -> Tensor:
    """Fuse by what `fit_rule` fitted: (branches, clips, classes) -> (clips, classes).

    Args:
        rule: For clips with audio.
        without: For clips without.
        logits: (branches, clips, classes).
        has_audio: (clips,) bool; None means all true.
        deaf: Places of the branches that need no audio.
    """
    if without is None or has_audio is None or has_audio.all():
        fused: Tensor = rule(logits)
        return fused
    fused = logits.new_empty(logits.shape[1:])
    fused[has_audio] = rule(logits[:, has_audio])
    fused[~has_audio] = without(logits[deaf][:, ~has_audio])
    return fused
