"""What a file is by its first bytes, whatever its name says."""

from __future__ import annotations

import re

HEAD_BYTES = 4096

TEXT = "text"
UNKNOWN = "of an unknown kind"
MP3 = "an MP3 file"
OGG = "an Ogg file"

FOR_PYAV = {
    "an MPEG-4 file",
    "a WebM file",
    "a Matroska file",
    "an AAC file",
    "an AMR file",
    "a Windows Media file",
    "an AVI file",
}
"""Kinds that libsndfile never reads."""

_MARKS = [
    (re.compile(rb"....ftyp", re.DOTALL), "an MPEG-4 file"),
    (re.compile(rb"\x1aE\xdf\xa3.{0,60}webm", re.DOTALL), "a WebM file"),
    (re.compile(rb"\x1aE\xdf\xa3"), "a Matroska file"),
    (re.compile(rb"#!AMR"), "an AMR file"),
    (re.compile(rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"), "a Windows Media file"),
    (re.compile(rb"RIFF....AVI ", re.DOTALL), "an AVI file"),
    (re.compile(rb"(RIFF|RF64|RIFX)....WAVE", re.DOTALL), "a WAV file"),
    (re.compile(rb"fLaC"), "a FLAC file"),
    (re.compile(rb"OggS"), OGG),
    (re.compile(rb"FORM....AIF", re.DOTALL), "an AIFF file"),
    (re.compile(rb"\xff[\xf0\xf1\xf8\xf9]"), "an AAC file"),  # the same sync as MP3's, and layer 0
    (re.compile(rb"ID3|\xff[\xe2-\xff]"), MP3),
]

_COUNT = re.compile(rb"VBRI|(?:Xing|Info)(?!\x00\x00\x00[\x01\x03\x05\x07\x09\x0b\x0d\x0f]\x00{4})")


def kind_of(head: bytes) -> str:
    """The kind of a file, with its article, by its first `HEAD_BYTES` bytes; `TEXT` or `UNKNOWN` if it is no audio."""
    for mark, kind in _MARKS:
        if mark.match(head):
            return kind
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # else the last character is cut
            return UNKNOWN
        text = head[: error.start].decode()
    return TEXT if all(letter.isprintable() or letter in "\t\n\r\f" for letter in text) else UNKNOWN


def tag_bytes(head: bytes) -> int:
    """Length of the ID3 tag that a file begins with; 0 without one."""
    if len(head) < 10 or not head.startswith(b"ID3"):
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 127
    return 10 + size


def counts_frames(head: bytes) -> bool:
    """Whether an MP3 holds its length, in the frame that `head`, behind any tag, begins with.

    A writer that was interrupted leaves a count of 0.
    """
    return _COUNT.search(head[:400]) is not None
