"""Repeat loops: what a speech recogniser writes when it has lost the thread."""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST = 12  # words of the longest repeated phrase looked for
_REPEATS = 4  # people repeat a phrase three times; Whisper, in a loop, until its tokens run out


def drop_loops(text: str) -> tuple[str, int]:
    """Cut every phrase that is repeated four times or more in a row down to one.

    Repeats may differ in case and punctuation. A phrase broken off at the end of the text, where the
    recogniser ran out of tokens, goes with its loop.

    Returns:
        The text that is left, and the number of loops that were cut.
    """
    words = text.split()
    plain = ["".join(letter for letter in word.lower() if letter.isalnum()) for word in words]
    kept: list[str] = []
    loops = start = 0
    while start < len(words):
        length, repeats = _loop_at(plain, start)
        kept += words[start : start + length]
        end = start + length * repeats
        if repeats > 1:
            loops += 1
            rest = plain[end:]
            if len(rest) < length and rest == plain[start : start + len(rest)]:
                break
        start = end
    return " ".join(kept), loops


def _loop_at(words: Sequence[str], start: int) -> tuple[int, int]:
    """Length of the shortest phrase that loops from `start` on, and how often it occurs; (1, 1) for none."""
    for length in range(1, min(_LONGEST, (len(words) - start) // _REPEATS) + 1):
        phrase = words[start : start + length]
        repeats = 1
        while words[start + repeats * length : start + (repeats + 1) * length] == phrase:
            repeats += 1
        if repeats >= _REPEATS:
            return length, repeats
    return 1, 1
