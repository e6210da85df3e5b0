"""Whom to train on, whom to validate on, whom to test on: what every split does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, get_args

from lightning_emorec.errors import EmorecError
from lightning_emorec.speaker_names import canonical
from lightning_emorec.types import Clip, Part

PARTS: tuple[Part, ...] = get_args(Part)
LEARNED_FROM: tuple[Part, ...] = ("train", "val")


@dataclass(frozen=True)
class Parts:
    """Clips by part, each in the order of the corpus.

    Attributes:
        required: Parts that must have clips.
        train: Clips to learn from.
        val: Clips to choose by.
        test: Clips to test on, once; none if any actor of the test is absent.
        absent_test_actors: Actors whom the split tests on and the corpus lacks.

    Raises:
        EmorecError: No clips to train or to validate on.
    """

    required: ClassVar[tuple[Part, ...]] = LEARNED_FROM

    train: list[Clip]
    val: list[Clip]
    test: list[Clip]
    absent_test_actors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for part in self.required:
            if not getattr(self, part):
                raise EmorecError(f"clips in the part {part!r}", "none", "change data.split or data.corpus")

    @property
    def clips(self) -> list[Clip]:
        """The clips of all parts."""
        return [*self.train, *self.val, *self.test]

    @property
    def actors(self) -> dict[Part, list[str]]:
        """The actors of each part, in natural order."""
        return {part: natural(clip.actor for clip in getattr(self, part)) for part in PARTS}


class Split(ABC):
    """A choice of actors for each part."""

    shared_actor_fix: ClassVar[str] = "name each actor in one list of data.split"

    @abstractmethod
    def actors(self, clips: Sequence[Clip]) -> dict[Part, list[str]]:
        """Choose the `canonical` actors of each part; those of the test need not be present."""

    def parts(self, clips: Sequence[Clip]) -> Parts:
        """Part the clips; those of an actor in no part are left out.

        Raises:
            EmorecError: A clip has no actor, an actor is in two parts, a training or validation actor is absent, or
                one of these two parts is empty.
        """
        require_actors(clips)
        actors, speakers = self.actors(clips), [canonical(clip.actor) for clip in clips]
        part_of = self._part_of_each(actors)
        present = set(speakers)
        absent = {part: [actor for actor in actors[part] if actor not in present] for part in PARTS}
        for part in LEARNED_FROM:
            if absent[part]:
                found = f"no clips of actor {', '.join(absent[part])}"
                raise EmorecError(f"clips of every actor in {part!r}", found, "add them or change data.split")
        chosen: dict[Part, list[Clip]] = {part: [] for part in PARTS}
        for clip, speaker in zip(clips, speakers, strict=True):
            if speaker in part_of:
                chosen[part_of[speaker]].append(clip)
        test = [] if absent["test"] else chosen["test"]
        return Parts(chosen["train"], chosen["val"], test, absent["test"])

    def _part_of_each(self, actors: dict[Part, list[str]]) -> dict[str, Part]:
        """Actor -> its part, if each has one only."""
        parts_of: dict[str, list[Part]] = {}
        for part in PARTS:
            for actor in dict.fromkeys(actors[part]):
                parts_of.setdefault(actor, []).append(part)
        if shared := natural(actor for actor, parts in parts_of.items() if len(parts) > 1):
            found = f"actor {shared[0]} in {' and '.join(parts_of[shared[0]])}"
            raise EmorecError("every actor in one part only", found, self.shared_actor_fix)
        return {actor: parts[0] for actor, parts in parts_of.items()}


def require_actors(clips: Sequence[Clip]) -> None:
    """Refuse clips whose actor is empty: they belong to no part."""
    if without := [clip.id for clip in clips if not clip.actor]:
        found = f"none for {len(without)} of {len(clips)} clips, such as {without[0]}"
        raise EmorecError("an actor for every clip", found, "name the actors in data.corpus")


def natural(actors: Iterable[str]) -> list[str]:
    """Sort and drop repeats, numbers first and by value."""
    return sorted(set(actors), key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))


def actors_in(clips: Iterable[Clip]) -> list[str]:
    """The `canonical` actors of clips, in natural order."""
    return natural(canonical(clip.actor) for clip in clips)


def sexes_in(clips: Iterable[Clip]) -> dict[str, str]:
    """The sex of each actor, where the corpus labels it."""
    return {canonical(clip.actor): clip.labels["sex"] for clip in clips if "sex" in clip.labels}
