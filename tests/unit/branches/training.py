"""Training data that a test makes up."""

from __future__ import annotations

from collections.abc import Sequence

from lightning_emorec.branches import Branch
from lightning_emorec.features import Value
from lightning_emorec.training_data import TrainingData
from lightning_emorec.types import Clip


def training_of(branch: Branch, values: Sequence[Value], clips: Sequence[Clip] = ()) -> TrainingData:
    """These clips, and their values of the branch's first feature."""
    return TrainingData(clips, branch.tasks, {branch.feature_keys[0]: values})
