"""What a learned rule is worth to actors that it has not learned from, without other clips than the validation ones."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import torch
from sklearn.model_selection import GroupKFold
from torch import Tensor

from lightning_emorec.fusion.partial import fit_rule, fuse_rule
from lightning_emorec.fusion.rule import FusionRule
from lightning_emorec.types import UNLABELLED

MOST_GROUPS = 10
"""A corpus may have hundreds of validation actors, and solving a rule for each would take minutes."""


def fuse_across_actors(
    rule: FusionRule,
    logits: Tensor,
    labels: Tensor,
    has_audio: Tensor,
    deaf: list[int],
    actors: Sequence[str],
) -> Tensor:
    """Fuse the clips of each actor by a rule fitted to the clips of the others.

    A rule scored on the clips that it was fitted to looks better than it is, the more so the freer it is: choosing
    a ridge or a bias by that score would always choose the freest.

    Args:
        rule: Left as it is; copies are fitted.
        logits: (branches, clips, classes).
        labels: (clips,) class indices or `UNLABELLED`.
        has_audio: (clips,) bool.
        deaf: Places of the branches that need no audio.
        actors: (clips,) who speaks; at least two different ones. Of more than `MOST_GROUPS` actors, several are left
            out at a time.

    Returns:
        (clips, classes) log-probabilities.
    """
    fused = logits.new_empty(logits.shape[1:])
    folds = GroupKFold(min(MOST_GROUPS, len(set(actors))))
    for others, own in folds.split(np.zeros(len(actors)), groups=actors):
        learned, judged = torch.from_numpy(others), torch.from_numpy(own)
        learned = learned[labels[learned] != UNLABELLED]
        copy = deepcopy(rule)
        without = fit_rule(copy, logits[:, learned], labels[learned], has_audio[learned], deaf)
        fused[judged] = fuse_rule(copy, without, logits[:, judged], has_audio[judged], deaf)
    return fused
