"""From several channels to one, without changing how loud the voice is unseen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.errors import EmorecError

SILENT_DB = -40.0
"""A channel this far below the loudest one adds nothing audible, and halves the level of the mean."""

CANCELLED = 0.25
"""A mean with less than this part of the energy that unrelated channels would leave it is one of opposite channels."""


@dataclass(frozen=True)
class Mix:
    """Which channels are averaged.

    Attributes:
        kept: Their indices.
        done: In words; empty for mono.
        level_db: Level of what is kept against that of the loudest channel; 0 where a channel was chosen.
    """

    kept: tuple[int, ...]
    done: str
    level_db: float

    def __call__(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """(time,) samples of a (time, channels) block."""
        if len(self.kept) == 1:
            return np.ascontiguousarray(block[:, self.kept[0]])
        return np.asarray(block[:, self.kept].mean(axis=1), dtype=np.float32)


def choose_channels(
    channels: int,
    channel: int | None,
    centre: int | None,
    blocks: Callable[[], Iterable[NDArray[np.float32]]],
    name: str,
) -> Mix:
    """Decide how a recording's channels become one.

    A channel that was chosen is taken. Else the centre of 5.1 or 7.1, where films have their voices, unless it is
    silent; else the mean of the channels that are not. Several channels are read to the end for that.

    Args:
        channels: How many there are.
        channel: The one that was chosen, or None.
        centre: The index of the centre channel, or None.
        blocks: Gives (time, channels) blocks of the whole recording.
        name: The recording's.

    Raises:
        EmorecError: There is no such channel, or channels cancel each other in the mean.
    """
    if channel is not None and not 0 <= channel < channels:
        found = f"{channels} in {name}, numbered from 0"
        raise EmorecError(
            f"a recording with a channel {channel}",
            found,
            f"set --data.channel (of predict: --channel) below {channels}, or leave it out",
        )
    if channels == 1:
        return Mix((0,), "", 0.0)
    if channel is not None:
        return Mix((channel,), f"channel {channel} of {channels}", 0.0)
    products = _products(channels, blocks())
    energy = products.diagonal()
    loudest = float(energy.max())
    # All of them, where some samples are not finite: reading refuses those.
    kept = np.flatnonzero(~(energy < 10 ** (SILENT_DB / 10) * loudest))
    if centre is not None and channels in (6, 8) and centre in kept and energy[centre] > 0:
        return Mix((centre,), f"the centre of {channels} channels", _level_db(energy[centre], loudest))
    mean_energy = float(products[np.ix_(kept, kept)].sum()) / len(kept) ** 2
    unrelated = float(energy[kept].sum()) / len(kept) ** 2
    if len(kept) > 1 and mean_energy < CANCELLED * unrelated:
        raise EmorecError(
            "channels that can be averaged",
            f"{len(kept)} opposite ones in {name}, whose mean is {-_level_db(mean_energy, loudest):.1f} dB quieter",
            "set --data.channel (of predict: --channel) to 0, or to another that has the voice",
        )
    done = f"the mean of {channels} channels"
    if len(kept) < channels:
        done = f"{len(kept)} of {channels} channels, for the others are silent"
    return Mix(tuple(int(index) for index in kept), done, _level_db(mean_energy, loudest))


def _products(channels: int, blocks: Iterable[NDArray[np.float32]]) -> NDArray[np.float64]:
    """(channels, channels) sums of the products of samples: energies on the diagonal."""
    products = np.zeros((channels, channels))
    for block in blocks:
        exact = block.astype(np.float64)
        products += exact.T @ exact
    return products


def _level_db(energy: float, reference: float) -> float:
    return 10 * math.log10(max(energy, 1e-12 * reference) / reference) if reference > 0 else 0.0
