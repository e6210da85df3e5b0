"""Decoding with libsndfile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from io import SEEK_END
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from lightning_emorec.audio.av_decoder import INSTALL
from lightning_emorec.errors import EmorecError

TOLERATED_LOSS_S = 0.1
"""What a header may promise too much: some writers count it in, and an MP3's length is an estimate."""

TOLERATED_REST_BYTES = 8192
"""Behind the last frame of an MP3 there may be tags."""

UNKNOWN_LENGTH_BYTES = 0x7FFF_F000
"""Programs that write WAV to a pipe cannot know its length, and put a number from here up."""

UNKNOWN_FRAMES = 1 << 60
"""libsndfile's count of frames in a file that does not say is larger than this."""

SHORTENED_CHUNK = re.compile(r"(?:data|Data Size)\s*: (\d+) \(should be (\d+)\)")
"""How libsndfile logs a WAV or AU file cut short. Its count of frames is corrected already, and of no use."""

CHANNEL_MASK = re.compile(r"Channel Mask\s*: 0x([0-9A-Fa-f]+)")

FRONT_CENTRE = 4
"""Its bit in a WAV file's channel mask; the channels are in the order of the bits."""

PIECE_FRAMES = 1 << 16


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read from start to end.

    Some cannot be sought (GSM 6.10), and in others (MP3) a seek to where one is changes the samples behind it.
    """

    def seekable(self) -> bool:
        return False


class SndfileDecoder:
    """Decodes a file from its start; a new one for each time that it is read.

    Args:
        source: A path, or a file at its start that can be sought.
        name: What messages call it.
        says_length: Whether its header holds its length. That of an MP3 without is an estimate, at which libsndfile
            stops.

    Attributes:
        rate_hz, channels: Of the file.
        centre: Index of the centre channel among 6 or 8, or None.
    """

    def __init__(self, source: str | BinaryIO, name: str, says_length: bool) -> None:
        self._name = name
        self._says_length = says_length
        with ExitStack() as stack:
            if isinstance(source, str) and not says_length:  # of an open file it is known how far it was read
                source = stack.enter_context(Path(source).open("rb"))
            self._source = source
            self._file = stack.enter_context(_Sequential(source))
            self._opened = stack.pop_all()
        self.rate_hz = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        self.centre = _centre(self._file) if self.channels in (6, 8) else None

    def pieces(self) -> Iterator[NDArray[np.float32]]:
        """(time, channels) arrays.

        Raises:
            EmorecError: Behind the last one, if the header promised more, or if the file goes on.
        """
        found = 0
        file = self._file
        with self._opened:
            promised = _promised_frames(file) if self._says_length else 0
            while len(piece := file.read(PIECE_FRAMES, dtype="float32", always_2d=True)):
                found += len(piece)
                yield piece
            if not self._says_length and found == file.frames and self._goes_on():
                raise EmorecError(
                    "a recording that says its length",
                    f"{self._name}, of which libsndfile reads {found / self.rate_hz:.1f} s of unknown many",
                    f"to read it: {INSTALL}",
                )
        if promised - found > TOLERATED_LOSS_S * self.rate_hz:
            raise EmorecError(
                f"{promised} frames as the header says",
                f"{found} in {self._name}: truncated",
                "restore the file or remove it",
            )

    def close(self) -> None:
        """Let go of the file, where its pieces are not read."""
        self._opened.close()

    def _goes_on(self) -> bool:
        """Whether libsndfile stopped before the end of the file."""
        if isinstance(self._source, str):
            return False
        read = self._source.tell()
        return self._source.seek(0, SEEK_END) - read > TOLERATED_REST_BYTES


def _promised_frames(file: soundfile.SoundFile) -> int:
    """The number of frames in the header; 0 if it does not say."""
    frames = int(file.frames)
    if frames >= UNKNOWN_FRAMES:
        return 0
    shortened = SHORTENED_CHUNK.search(file.extra_info)
    if shortened is None:
        return frames
    promised_bytes, present_bytes = (int(number) for number in shortened.groups())
    if promised_bytes >= UNKNOWN_LENGTH_BYTES or present_bytes == 0:
        return frames
    return frames * promised_bytes // present_bytes


def _centre(file: soundfile.SoundFile) -> int | None:
    """Index of the front centre channel of a 5.1 or 7.1 file, by its mask or else by the order of its format."""
    if found := CHANNEL_MASK.search(file.extra_info):
        mask = int(found[1], 16)
        if mask:
            return (mask & (FRONT_CENTRE - 1)).bit_count() if mask & FRONT_CENTRE else None
    return (
        1 if file.format == "OGG" else 2
    )  # left, centre, right in Vorbis and Opus; left, right, centre elsewhere
