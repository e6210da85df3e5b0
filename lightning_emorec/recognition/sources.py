"""Which recordings a user names: files, folders, patterns, tables, standard input, arrays."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from lightning_emorec.errors import EmorecError
from lightning_emorec.hashing import sha256, short_hash
from lightning_emorec.table import read_table, times_of

STDIN = "-"

SUFFIXES = {
    *(
        ".wav",
        ".wave",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".mp3",
        ".mp2",
        ".aif",
        ".aiff",
        ".aifc",
        ".au",
        ".snd",
    ),
    *(
        ".caf",
        ".w64",
        ".rf64",
        ".gsm",
        ".m4a",
        ".m4b",
        ".mp4",
        ".mov",
        ".aac",
        ".webm",
        ".mkv",
        ".mka",
        ".3gp",
    ),
}
"""Files that are taken from a folder; a file that is named by itself may have any name."""


@dataclass(frozen=True)
class Source:
    """A recording, or a stretch of it.

    Attributes:
        name: As its user named it; empty where it has none.
        audio: A file, an open binary file, or (time,) or (time, channels) samples.
        rate_hz: Of samples.
        start: Begin of the stretch in s; None means the recording's.
        end: End of the stretch in s; None means the recording's.
        speaker: Who speaks, where that is known.
        text: What is said, where that is known.
    """

    name: str
    audio: Path | BinaryIO | NDArray[np.floating[Any]]
    rate_hz: int | None = None
    start: float | None = None
    end: float | None = None
    speaker: str = ""
    text: str | None = None

    @property
    def digest(self) -> str:
        """Of the file's content and of what is asked about it.

        Raises:
            EmorecError: The file cannot be read.
        """
        return short_hash([content_of(self), self.start, self.end, self.speaker, self.text])


def content_of(source: Source) -> str:
    """SHA-256 of a source's file or of what it reads from memory; of samples, nothing.

    Raises:
        EmorecError: The file cannot be read.
    """
    if isinstance(source.audio, BytesIO):
        return short_hash(source.audio.getvalue(), digits=64)
    if not isinstance(source.audio, Path):
        return ""
    try:
        return sha256(source.audio)
    except OSError as error:
        found = f"{source.name}: {error.strerror}"
        raise EmorecError("a recording that can be read", found, "correct the path") from error


def source_of(
    given: str | Path | BinaryIO | NDArray[np.floating[Any]],
    rate_hz: int | None = None,
    text: str | None = None,
) -> Source:
    """A recording as Python names it: by path, as an open file or as samples."""
    if isinstance(given, str | Path):
        return Source(str(given), Path(given), text=text)
    return Source("", given, rate_hz, text=text)


def sources_of(paths: Sequence[str], table: str | None = None) -> list[Source]:
    """The recordings that a command line names, each once, in order.

    Args:
        paths: Files, folders (searched with all below them), patterns, or `-` for one recording on standard input.
        table: CSV or JSON lines with the columns `path[,start,end,speaker,text]`, or `-` for standard input.

    Raises:
        EmorecError: Nothing is named, a folder or pattern holds no recording, or the table cannot be read.
    """
    found = [source for path in paths for source in _named(path)]
    if table is not None:
        found += rows_of(table)
    if not found:
        expected = "recordings to label"
        raise EmorecError(expected, "none", "name files, folders or patterns, or a table with --list")
    return list(dict.fromkeys(found))


def _named(path: str) -> Iterator[Source]:
    if path == STDIN:
        yield Source("stdin", BytesIO(sys.stdin.buffer.read()))  # whole, because decoders seek
        return
    given = Path(path).expanduser()
    if given.is_dir():
        inside = sorted(
            file for file in given.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()
        )
        if not inside:
            expected = f"recordings ({', '.join(sorted(SUFFIXES)[:4])}, ...) in {path}"
            raise EmorecError(expected, "none", "name the files, or use a pattern")
        yield from (Source(str(file), file) for file in inside)
    elif has_magic(path) and not given.exists():
        matched = sorted(file for file in glob(str(given), recursive=True) if Path(file).is_file())  # noqa: PTH207
        if not matched:
            raise EmorecError("files that match", f"none for {path}", "correct the pattern")
        yield from (Source(file, Path(file)) for file in matched)
    else:
        yield Source(path, given)


def rows_of(table: str) -> list[Source]:
    """The rows of a table of recordings; paths are relative to its folder, or to this one for standard input.

    Raises:
        EmorecError: The table cannot be read, or rows of it are wrong.
    """
    read = read_table(table, "--list")
    read.require(["path"], "name it path in --list")
    folder = Path() if table == STDIN else Path(table).parent
    times = times_of(read)
    return [
        Source(
            row["path"],
            folder / row["path"],
            None,
            *times[place],
            row.get("speaker", ""),
            row.get("text") or None,
        )
        for place, (_, row) in enumerate(read.rows)
    ]


def duration_of(source: Source) -> float | None:
    """Length in s as the file's header has it; None where it has none that can be read."""
    if source.end is not None:
        return source.end - (source.start or 0.0)
    try:
        return float(soundfile.info(source.audio).duration)
    except (soundfile.LibsndfileError, OSError, TypeError):
        return None


def as_file(samples: NDArray[np.floating[Any]], rate_hz: int | None) -> BytesIO:
    """(time,) or (time, channels) samples as a file, so that they are read as any recording."""
    if rate_hz is None or samples.ndim > 2 or not samples.size:
        found = f"an array of shape {samples.shape} and rate_hz {rate_hz}"
        raise EmorecError("(time,) or (time, channels) samples and rate_hz", found, "give both")
    file = BytesIO()
    soundfile.write(file, samples, rate_hz, format="WAV", subtype="FLOAT")
    file.seek(0)
    return file


def cut(blocks: Iterator[NDArray[np.float32]], source: Source, rate_hz: int) -> Iterator[NDArray[np.float32]]:
    """The samples between a source's start and end; reading stops at its end."""
    at, first = 0, round((source.start or 0.0) * rate_hz)
    last = None if source.end is None else round(source.end * rate_hz)
    for block in blocks:
        kept = block[max(0, first - at) : None if last is None else max(0, last - at)]
        at += len(block)
        if len(kept):
            yield kept
        if last is not None and at >= last:
            return
