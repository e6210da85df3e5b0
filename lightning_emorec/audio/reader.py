"""One way of reading any recording: in blocks, from start to end, without asking how long it is."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.audio.av_decoder import INSTALL, AvDecoder, av_error, pyav_is_installed
from lightning_emorec.audio.channels import Mix, choose_channels
from lightning_emorec.audio.kinds import (
    FOR_PYAV,
    HEAD_BYTES,
    MP3,
    TEXT,
    UNKNOWN,
    counts_frames,
    kind_of,
    tag_bytes,
)
from lightning_emorec.audio.sndfile_decoder import SndfileDecoder
from lightning_emorec.audio.whole import what_is_missing
from lightning_emorec.errors import EmorecError

logger = logging.getLogger(__name__)

BLOCK_S = 10.0

AUDIO_FILE = "a WAV, FLAC, Ogg or MP3 file"


class Recording:
    """A recording that can be read, several times if need be. `open_recording` makes it.

    Args:
        source: A path, or a file that can be sought and is read from its start.
        name: What messages call it.
        channel: The channel to take, from 0; None leaves the choice to the rule of `choose_channels`.

    Attributes:
        name: As given.
        rate_hz: Sampling rate.
        channels: Number of channels.
        says_length: False for an MP3 whose length is not in its first frame.
    """

    def __init__(self, source: Path | BinaryIO, name: str, channel: int | None = None) -> None:
        self.name = name
        self.channel = channel
        self._source = source
        self._warned = False
        self._inspect()
        with _in_one_line(self.name, self._kind):
            decoder = self._decoder()
        self._at_start: SndfileDecoder | AvDecoder | None = decoder
        self.rate_hz, self.channels, self.centre = decoder.rate_hz, decoder.channels, decoder.centre

    @cached_property
    def mix(self) -> Mix:
        """How the channels become one. A file of several, none of which was chosen, is read to its end for this.

        Raises:
            EmorecError: There is no such channel, or channels that cancel each other.
        """
        return choose_channels(self.channels, self.channel, self.centre, self.blocks, self.name)

    def blocks(self, seconds: float = BLOCK_S) -> Iterator[NDArray[np.float32]]:
        """(time, channels) samples from the start, all but the last block of that length.

        Raises:
            EmorecError: What follows cannot be decoded, or ends before its header says.
        """
        with _in_one_line(self.name, self._kind):
            decoder, self._at_start = self._at_start or self._decoder(), None
            yield from _of_length(decoder.pieces(), max(1, round(seconds * self.rate_hz)))
            self._warn_if_not_whole()

    def _warn_if_not_whole(self) -> None:
        """Say, once, where the decoder has stopped before the end of what was recorded."""
        if self._warned or not self.says_length:
            return
        self._warned = True
        with ExitStack() as stack:
            file = self._source
            if isinstance(file, Path):
                file = stack.enter_context(file.open("rb"))
            if found := what_is_missing(file, self._kind):
                logger.warning("%s %s: is it whole?", self.name, found)

    def close(self) -> None:
        """Let go of the file, if it was not read."""
        if self._at_start is not None:
            self._at_start.close()

    def _inspect(self) -> None:
        """Learn what the file is."""
        if isinstance(self._source, Path):
            with self._source.open("rb") as file:
                head, after_tag = _heads(file)
        else:
            head, after_tag = _heads(self._source)
        if not head:
            raise EmorecError("an audio file", f"an empty file {self.name}", "restore it or remove it")
        behind = kind_of(after_tag)  # not only MP3s are tagged
        self._kind = kind_of(head) if behind in (TEXT, UNKNOWN) else behind
        if self._kind == TEXT:
            raise _unreadable(self.name, self._kind, "it is text")
        self.says_length = self._kind != MP3 or counts_frames(after_tag)

    def _decoder(self) -> SndfileDecoder | AvDecoder:
        """A decoder at the start. PyAV has those files that libsndfile cannot open, and MP3s of unknown length.

        libsndfile reads of the latter no more than the length it estimates, and takes tags behind them for damage.
        """
        has_pyav = pyav_is_installed()
        if self._kind in FOR_PYAV and not has_pyav:
            raise EmorecError(AUDIO_FILE, f"{self.name}, {self._kind}", f"to read it: {INSTALL}")
        if self._kind in FOR_PYAV or (has_pyav and not self.says_length):
            return AvDecoder(self._rewound(), self.name)
        try:
            return SndfileDecoder(self._rewound(), self.name, self.says_length)
        except Exception as error:
            if has_pyav:
                with suppress(av_error()):
                    return AvDecoder(self._rewound(), self.name)
            raise error

    def _rewound(self) -> str | BinaryIO:
        if isinstance(self._source, Path):
            return str(self._source)
        self._source.seek(0)
        return self._source


@contextmanager
def open_recording(
    source: Path | BinaryIO, channel: int | None = None, name: str | None = None
) -> Iterator[Recording]:
    """Open a recording of any kind: libsndfile's (WAV, FLAC, Ogg, MP3, ...) or, with PyAV, MPEG-4, WebM, AAC, ...

    Args:
        source: A path, or a file opened for bytes; what is left of a pipe or of a file begun is copied.
        channel: The channel to take, from 0; None leaves the choice to the rule of `choose_channels`.
        name: What messages call it; the path or the file's own name by default.

    Raises:
        EmorecError: Not there, empty, no audio, or PyAV is needed and absent.
    """
    name = name or str(source if isinstance(source, Path) else getattr(source, "name", "the input"))
    with ExitStack() as stack:
        if isinstance(source, Path):
            _check_path(source)
        elif not source.seekable() or source.tell() > 0:
            copy = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(source, copy)
            source = copy
        yield stack.enter_context(closing(Recording(source, name, channel)))


def _check_path(path: Path) -> None:
    """Refuse what is no file that can be read."""
    try:
        if path.is_dir():
            raise EmorecError("an audio file", f"a folder {path}", "name a file in it")
        if not path.is_file():
            raise EmorecError("an audio file", f"no file {path}", "restore it or correct the path")
        path.open("rb").close()
    except OSError as error:
        raise EmorecError(
            "a readable file", f"{path}: {error.strerror}", "correct its permissions or the path"
        ) from error


def _heads(file: BinaryIO) -> tuple[bytes, bytes]:
    """The first bytes of a file, and those behind its ID3 tag."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(tag_bytes(head))
    return head, file.read(HEAD_BYTES)


def _of_length(pieces: Iterator[NDArray[np.float32]], length: int) -> Iterator[NDArray[np.float32]]:
    """Cut and join (time, channels) pieces to blocks of one length; the last may be shorter."""
    kept: list[NDArray[np.float32]] = []
    frames = 0
    for piece in pieces:
        kept.append(piece)
        frames += len(piece)
        while frames >= length:
            joined = np.concatenate(kept)
            yield joined[:length]
            kept = [joined[length:]]
            frames -= length
    if frames:
        yield np.concatenate(kept)


@contextmanager
def _in_one_line(name: str, kind: str) -> Iterator[None]:
    """Turn whatever a decoder raises into one line."""
    try:
        yield
    except (EmorecError, MemoryError):
        raise
    except Exception as error:
        told = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
        reason = str(told).removeprefix("Error : ").rstrip(".")
        raise _unreadable(name, kind, " ".join(reason.split()) or "damaged or cut short") from error


def _unreadable(name: str, kind: str, reason: str) -> EmorecError:
    helps = kind not in (TEXT, UNKNOWN) and not pyav_is_installed()
    fix = f"restore or convert it, or try {INSTALL}" if helps else "restore or convert it, or remove it"
    expected = "a whole recording" if kind in FOR_PYAV else AUDIO_FILE
    return EmorecError(expected, f"{name} cannot be read ({reason})", fix)
