"""A stretch of a file: the file is decoded and kept once for all of its stretches, and cut when one is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from lightning_emorec.errors import EmorecError

ROUNDED_S = 0.05
"""An end this far beyond the file's is that of a table whose times are rounded: it is taken for the file's."""


@dataclass(frozen=True)
class Stretch:
    """A part of an audio file.

    Attributes:
        path: The file.
        start: Where it begins, in seconds.
        end: Where it ends, in seconds; None is the end of the file.
    """

    path: Path
    start: float
    end: float | None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def digest(self, of_file: str) -> str:
        """What its samples are made from: the digest of the file, and the times."""
        return f"{of_file}@{float(self.start)!r}-{'' if self.end is None else repr(float(self.end))}"

    def cut(self, samples: int, rate_hz: int) -> tuple[int, int]:
        """Its first sample and the one after its last, in a file of so many at `rate_hz`.

        Raises:
            EmorecError: It ends more than 0.05 s beyond the file, or holds no sample.
        """
        end = samples / rate_hz if self.end is None else self.end
        first, last = round(self.start * rate_hz), min(samples, round(end * rate_hz))
        if end > samples / rate_hz + ROUNDED_S or first >= last:
            found = f"{self.start:g} to {end:g} s of {self.path}, which is {samples / rate_hz:.2f} s long"
            raise EmorecError("a segment within its file", found, "correct the columns start and end")
        return first, last


FileOrStretch: TypeAlias = Path | Stretch


def file_of(sound: FileOrStretch) -> Path:
    """The file that a sound is in."""
    return sound.path if isinstance(sound, Stretch) else sound


def files_of(sounds: Iterable[FileOrStretch]) -> list[Path]:
    """The files that sounds are in, each once, in order."""
    return list(dict.fromkeys(map(file_of, sounds)))
