"""A clip as a vector of fixed length."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_emorec.features.feature import Feature, Value

FunctionalSet = Literal["eGeMAPSv02", "ComParE_2016", "librosa"]
"""Which numbers describe a clip: two of openSMILE's sets, or statistics of librosa's features."""


class Functionals(Feature):
    """Numbers about the whole of a clip. A value is (size,) float32, all finite."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How many numbers there are; known without computing any."""

    def collate(self, values: Sequence[Value]) -> Tensor:
        """(batch, size) float32."""
        return torch.from_numpy(stack(values))


def stack(values: Sequence[Value]) -> NDArray[np.float32]:
    """(clips, ...) of values that are arrays of one shape."""
    return np.stack(cast("Sequence[NDArray[np.float32]]", values))


def functionals_feature(functionals: FunctionalSet) -> Functionals:
    """The feature that a branch's argument of this name asks for."""
    if functionals == "librosa":
        from lightning_emorec.features.librosa_statistics import (
            LibrosaStatistics,
        )  # it subclasses Functionals

        return LibrosaStatistics()
    from lightning_emorec.features.opensmile import OpenSmileFunctionals

    return OpenSmileFunctionals(functionals)
