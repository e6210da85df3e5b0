"""openSMILE's hand-crafted descriptors (Eyben et al. 2010), through audEERING's own package."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, ClassVar, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lightning_emorec.audio import AudioStore
from lightning_emorec.errors import UnavailableError
from lightning_emorec.features.feature import Feature, Options, Value
from lightning_emorec.features.functionals import Functionals
from lightning_emorec.features.parallel import Sound, over_clips
from lightning_emorec.types import Clip

if TYPE_CHECKING:
    from opensmile import Smile

OpenSmileSet = Literal["eGeMAPSv02", "ComParE_2016"]

DESCRIPTORS = 25
"""Low-level descriptors of eGeMAPSv02 in each frame."""

_SIZES: dict[OpenSmileSet, int] = {"eGeMAPSv02": 88, "ComParE_2016": 6373}
_RATE_HZ = 16000
_SHORTEST_S = 0.1  # openSMILE gives nothing for less than 0.06 s, its longest window
_CLEANING = 1  # to be raised when short clips or undefined numbers are treated in another way


class OpenSmileFunctionals(Functionals):
    """Statistics of low-level descriptors over a clip: 88 (Eyben et al. 2016) or 6373 (Schuller et al. 2016).

    A clip that is shorter than 0.1 s is followed by silence up to that length; what openSMILE leaves undefined
    is 0, as is the pitch of a clip without voice.

    Args:
        feature_set: openSMILE's name of the set.
    """

    name: ClassVar[str] = "opensmile"
    activity: ClassVar[str] = "running openSMILE"

    def __init__(self, feature_set: OpenSmileSet = "eGeMAPSv02") -> None:
        self.feature_set: OpenSmileSet = feature_set

    @property
    def size(self) -> int:
        """88 or 6373."""
        return _SIZES[self.feature_set]

    def options(self) -> Options:
        """The set, and the version of openSMILE."""
        return _options(self.feature_set, "Functionals")

    def check_available(self) -> None:
        """Look for the package."""
        _check_installed()

    def compute(self, clips: Sequence[Clip], audio: AudioStore) -> Iterator[Value]:
        """Yield (size,) of each clip, over all cores."""
        for rows in _run(self.feature_set, "Functionals", clips, audio):
            yield rows[0]


class OpenSmileDescriptors(Feature):
    """The 25 low-level descriptors of eGeMAPSv02 every 10 ms: loudness, spectrum, pitch, voice quality, formants.

    A value is (frames, 25) float32, all finite; short clips and undefined numbers as in
    `OpenSmileFunctionals`. In a batch a 26th column marks a clip's own frames, 1, and padding, 0.
    """

    name: ClassVar[str] = "descriptors"
    activity: ClassVar[str] = "running openSMILE"

    def options(self) -> Options:
        """The set, and the version of openSMILE."""
        return _options("eGeMAPSv02", "LowLevelDescriptors")

    def check_available(self) -> None:
        """Look for the package."""
        _check_installed()

    def compute(self, clips: Sequence[Clip], audio: AudioStore) -> Iterator[Value]:
        """Yield (frames, 25) of each clip, over all cores."""
        yield from _run("eGeMAPSv02", "LowLevelDescriptors", clips, audio)

    def collate(self, values: Sequence[Value]) -> Tensor:
        """(batch, frames, 26) float32: descriptors and the mask, 0 after each clip's end."""
        rows = [torch.from_numpy(cast("NDArray[np.float32]", value)) for value in values]
        return pad_sequence(
            [torch.cat([row, torch.ones(len(row), 1)], dim=1) for row in rows], batch_first=True
        )


def _options(feature_set: OpenSmileSet, level: str) -> Options:
    try:
        found = version("opensmile")
    except PackageNotFoundError:  # the key can be asked for where nothing can be computed
        found = None
    return {"feature_set": feature_set, "level": level, "opensmile": found, "cleaning": _CLEANING}


def _check_installed() -> None:
    try:
        import opensmile  # noqa: F401
    except (ImportError, OSError) as error:  # OSError: its library does not load on this system
        raise UnavailableError(
            "the package opensmile", str(error), "pip install 'lightning-emorec[opensmile]'"
        ) from error


def _run(
    feature_set: OpenSmileSet, level: str, clips: Sequence[Clip], audio: AudioStore
) -> Iterator[NDArray[np.float32]]:
    _check_installed()
    return over_clips(partial(_extract, feature_set, level), clips, audio.at(_RATE_HZ))


def _extract(feature_set: OpenSmileSet, level: str, sound: Sound) -> NDArray[np.float32]:
    """(rows, columns) of one clip's (time,) samples: one row of functionals, or one a frame."""
    lacking = max(0, round(_SHORTEST_S * _RATE_HZ) - len(sound))
    table = _extractor(feature_set, level).process_signal(np.pad(sound, (0, lacking)), _RATE_HZ)
    rows = cast("NDArray[np.float32]", table.to_numpy(np.float32))
    return np.nan_to_num(rows, nan=0.0, posinf=0.0, neginf=0.0)


@lru_cache(maxsize=3)
def _extractor(feature_set: OpenSmileSet, level: str) -> Smile:
    import opensmile

    return opensmile.Smile(opensmile.FeatureSet[feature_set], opensmile.FeatureLevel[level])
