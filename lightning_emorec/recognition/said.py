"""What is said in a long recording, and when."""

from __future__ import annotations

from collections.abc import Sequence

from lightning_emorec.recognition.windows import Piece

PIECE_S = 10.0
"""Longest stretch of speech in s that is transcribed at once; Whisper reads shorter ones as fast."""

MOST_PIECES = 64


class Said:
    """What is said in a long recording, piece by piece; what is given for all of it is said throughout."""

    def __init__(self, text: str | None) -> None:
        self._given = text
        self._pieces: list[tuple[float, float, str]] = []

    def add(self, pieces: Sequence[Piece], texts: Sequence[str]) -> None:
        """Take pieces of speech and what is said in each."""
        self._pieces += [(of.start, of.end, text) for of, text in zip(pieces, texts, strict=True)]
        del self._pieces[:-MOST_PIECES]  # no window to come is as long as these

    def between(self, start: float, end: float) -> str | None:
        """The words of all pieces that a span overlaps: a sentence is judged by all its words."""
        if self._given is not None or not self._pieces:
            return self._given
        return " ".join(text for first, last, text in self._pieces if first < end and last > start).strip()
