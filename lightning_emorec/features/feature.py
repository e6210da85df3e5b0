"""Slow, fixed quantities of a clip, computed once and cached on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lightning_emorec.audio import AudioStore
from lightning_emorec.hashing import short_hash
from lightning_emorec.types import Clip

Options = dict[str, str | int | float | bool | None]

Value = NDArray[np.generic] | dict[str, Any]
"""What is kept of one clip: an array, or a dict that JSON can hold."""


class Feature(ABC):
    """Something a branch needs of each clip that is too slow to compute in every epoch.

    Values are cached by (audio content, `options`), so `options` must name everything that changes a value.
    """

    name: ClassVar[str]
    """Short name, e.g. `transcript`: the stem of `key`."""

    activity: ClassVar[str] = "computing features"
    """Title of the progress bar while values are computed."""

    from_audio: ClassVar[bool] = True
    """Whether values are made from audio, and kept in the cache; else they are read from the clip, at no cost."""

    @abstractmethod
    def options(self) -> Options:
        """Everything besides the audio that a value depends on, the digest of weights or files included."""

    @property
    def key(self) -> str:
        """Name of this feature with these options, in `Batch.features` and in the cache."""
        return f"{self.name}-{short_hash(self.options(), digits=12)}"

    @property
    def stored_as(self) -> str:
        """Name of the cache's file; a feature that `collate` makes from another's values names the other's."""
        return self.key

    def check_available(self) -> None:  # noqa: B027 - most features are always available
        """Raise if the feature cannot be computed here, without loading weights.

        Raises:
            UnavailableError: Weights, a file or an optional package is missing.
        """

    @abstractmethod
    def compute(self, clips: Sequence[Clip], audio: AudioStore) -> Iterator[Value]:
        """Yield one value a clip, in order, as soon as it is known, so that the cache can keep it.

        Raises:
            EmorecError: A clip lacks what the feature is made from.
        """

    @abstractmethod
    def collate(self, values: Sequence[Value]) -> Tensor | list[str]:
        """Turn the values of a batch into what `Batch.features` holds: (batch, ...) or one string a clip."""


def unique(features: Iterable[Feature]) -> list[Feature]:
    """The features without those that have the key of an earlier one."""
    return list({feature.key: feature for feature in features}.values())
