"""Decoding with PyAV (FFmpeg), for what libsndfile does not read or reads badly."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.errors import EmorecError

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.container import InputContainer

logger = logging.getLogger(__name__)

TOLERATED_LOSS_S = 0.5
"""What a header may promise too much: of WebM it gives the length of the picture too, if there is one."""

LOCAL = {"protocol_whitelist": "file"}
"""A playlist must not fetch anything."""

INSTALL = "pip install 'lightning-emorec[media]'"


@cache
def pyav_is_installed() -> bool:
    """Whether the extra `media` is there."""
    return find_spec("av") is not None


def av_error() -> type[Exception]:
    """What PyAV raises for a file that FFmpeg cannot read."""
    import av

    return cast(type[Exception], av.error.FFmpegError)


class AvDecoder:
    """Decodes the first audio track of a file from its start; a new one for each time that it is read.

    Packets that cannot be decoded, such as tags behind an MP3, are left out with a warning.

    Args:
        source: A path, or a file at its start that can be sought.
        name: What messages call it.

    Attributes:
        rate_hz, channels: Of the first frame, because headers are at times wrong.
        centre: Index of the centre channel, or None.

    Raises:
        EmorecError: There is no audio track, or nothing in it.
    """

    def __init__(self, source: str | BinaryIO, name: str) -> None:
        import av

        self._name = name
        self._container = av.open(source, metadata_errors="ignore", options=LOCAL)
        try:
            self._frames = _decoded(self._container, name)
            self._first = next(self._frames, None)
            if self._first is None:
                raise EmorecError("audio", f"no samples in {name}", "restore the file or remove it")
        except BaseException:
            self._container.close()
            raise
        names = [channel.name for channel in self._first.layout.channels]
        self.rate_hz = int(self._first.sample_rate)
        self.channels = len(names)
        self.centre = names.index("FC") if "FC" in names else None

    def pieces(self) -> Iterator[NDArray[np.float32]]:
        """(time, channels) arrays of whatever length the file is coded in."""
        import av

        planes = av.AudioResampler(format="fltp")  # nothing but the format: layout and rate stay
        found = 0
        with self._container as container:
            promised_s = _promised_s(container)
            for frame in chain([self._first], self._frames, [None]):  # None: what is left in the resampler
                for converted in planes.resample(frame):
                    if converted.samples:
                        found += converted.samples
                        yield np.ascontiguousarray(converted.to_ndarray().T, dtype=np.float32)
        found_s = found / self.rate_hz
        if promised_s - found_s > TOLERATED_LOSS_S:
            logger.warning("%s ends after %.1f of %.1f s: is it whole?", self._name, found_s, promised_s)

    def close(self) -> None:
        """Let go of the file, where its pieces are not read."""
        self._container.close()


def _promised_s(container: InputContainer) -> float:
    """The length in the header of an MPEG-4, WebM or Matroska file; 0 of others, where it is an estimate."""
    stream = container.streams.audio[0]
    if not {"mp4", "webm"} & set(container.format.name.split(",")):
        return 0.0
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return float(container.duration or 0) / 1e6


def _decoded(container: InputContainer, name: str) -> Iterator[AudioFrame]:
    """The frames of the first audio track."""
    import av

    if not container.streams.audio:
        raise EmorecError("audio", f"no audio track in {name}", "give the file that has the sound")
    stream, bad = container.streams.audio[0], 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            bad += 1
            continue
        yield from frames
    if bad:
        logger.warning("%s: %d packets are no audio or damaged, and left out", name, bad)
