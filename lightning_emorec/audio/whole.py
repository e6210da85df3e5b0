"""Whether a decoder has read all of a file, for the kinds whose decoders stop early without a word."""

from __future__ import annotations

import re
from io import SEEK_END
from typing import BinaryIO

from lightning_emorec.audio.kinds import HEAD_BYTES, MP3, OGG, kind_of, tag_bytes

LONGEST_PAGE_BYTES = 27 + 255 + 255 * 255
"""Of an Ogg file: header, table of segments, segments (RFC 3533)."""

PAGE = re.compile(rb"OggS\x00([\x00-\x07])")
LAST_PAGE = 4
"""A bit of a page's header: the last one of its stream."""

TOLERATED_REST_BYTES = 4096
"""Two frames of the largest kind: some writers do not count the one that has the header."""

COUNTED = re.compile(rb"(?:Xing|Info)\x00\x00\x00[\x03\x07\x0b\x0f].{4}(?!\x00{4})(.{4})", re.DOTALL)
"""The header of an MP3 that has the number of its frames and of its bytes, which is the group."""

ID3V1_BYTES = 128


def what_is_missing(file: BinaryIO, kind: str) -> str:
    """What says that there was more to read, as part of a sentence; empty where nothing does.

    Args:
        file: Open for bytes; it is left wherever.
        kind: As `kind_of` says.
    """
    if kind == OGG and not _has_last_page(file):
        return "breaks off before the last page of an Ogg file"
    if kind == MP3 and _goes_on(file):
        return "goes on with other MP3 frames than its header counts, as where files are joined"
    return ""


def _has_last_page(file: BinaryIO) -> bool:
    """Whether the last page of an Ogg file ends a stream, and is there as a whole."""
    size = file.seek(0, SEEK_END)
    file.seek(max(0, size - 2 * LONGEST_PAGE_BYTES))
    tail = file.read()
    *_, last = [None, *PAGE.finditer(tail)]
    if last is None or not last[1][0] & LAST_PAGE:
        return False
    table = last.start() + 27
    if len(tail) < table:
        return False
    end = table + tail[table - 1]  # of the table, which is empty where a page does nothing but end the stream
    return end + sum(tail[table:end]) <= len(tail)


def _goes_on(file: BinaryIO) -> bool:
    """Whether further MP3 frames follow those that the header in the first frame (Xing, Info) counts."""
    file.seek(0)
    start = tag_bytes(file.read(10))
    file.seek(start)
    counted = COUNTED.search(file.read(400))
    if counted is None:
        return False
    end = start + int.from_bytes(counted[1], "big")
    file.seek(end)
    end += ID3V1_BYTES * (file.read(3) == b"TAG")
    file.seek(end)
    end += tag_bytes(file.read(10))
    if file.seek(0, SEEK_END) - end <= TOLERATED_REST_BYTES:
        return False
    file.seek(end)
    return kind_of(file.read(HEAD_BYTES)) == MP3
