"""Who speaks: one name a person, and names that stand for nobody."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal

NoSpeaker = Literal["refuse", "each_clip", "leave_out"]
"""What is done with a clip whose speaker nobody knows."""

_NOBODY = frozenset(
    {"", "nan", "none", "null", "n/a", "<na>", "#n/a", "unknown", "unk", "-1", "-1.0", "?", "-"}
)
_WHOLE_NUMBER = re.compile(r"(\d+)(\.0*)?")
_NAMED = 3  # groups of names that a line has; the rest is counted


def canonical(actor: int | str) -> str:
    """Name a speaker so that 1, "01", "1.0" and " 1" are one; of other names only blanks are made alike."""
    name = unicodedata.normalize("NFC", " ".join(str(actor).split()))
    number = _WHOLE_NUMBER.fullmatch(name)
    return str(int(number[1])) if number else name


def is_nobody(name: str) -> bool:
    """Whether a name says that the speaker is not known; the docstring of `ManifestCorpus` lists such names."""
    return name == "NA" or name.casefold() in _NOBODY


def one_name_each(names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Give each speaker one name: the one that is there, or where there are several, the `canonical` one.

    Returns:
        Name as written -> name of the person; and lines that say which names were made one, and which differ in
        upper and lower case alone, and so stay apart.
    """
    written: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        written.setdefault(canonical(name), []).append(name)
    merged = {person: spellings for person, spellings in written.items() if len(spellings) > 1}
    person_of = {name: person if person in merged else name for person, of in written.items() for name in of}
    folded: dict[str, list[str]] = {}
    for person in written:
        folded.setdefault(person.casefold(), []).append(person)
    alike = [people for people in folded.values() if len(people) > 1]
    told = []
    if merged:
        told.append(f"names of one speaker each: {_listed([*merged.values()])}")
    if alike:
        fix = "write them alike where they are one person, or train and test may share a voice"
        told.append(f"speakers whose names differ in case alone are taken for two: {_listed(alike)}; {fix}")
    return person_of, told


def _listed(groups: Sequence[Sequence[str]]) -> str:
    named = "; ".join(" = ".join(map(repr, group)) for group in groups[:_NAMED])
    rest = len(groups) - _NAMED
    return named + (f"; and {rest:,} more" if rest > 0 else "")
