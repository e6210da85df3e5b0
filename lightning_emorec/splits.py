"""Splits by actor: whom to train on, whom to validate on, whom to test on."""

from __future__ import annotations

import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import ClassVar, Literal, get_args

from lightning_emorec.types import Clip, EmorecError, Part

__all__ = ["ActorLists", "Folds", "KFold", "Parts", "Published", "Split"]

log = logging.getLogger(__name__)

PARTS: tuple[Part, ...] = get_args(Part)
LEARNED_FROM: tuple[Part, ...] = ("train", "val")

Scheme = Literal["emobox", "lj5", "loso"]

TEST_ACTORS: dict[Scheme, list[list[int]]] = {
    "emobox": [
        [1, 11, 20, 21],
        [4, 10, 12, 14],
        [8, 9, 19, 23],
        [3, 5, 7, 24],
        [2, 15, 16, 18],
        [6, 13, 17, 22],
    ],
    "lj5": [
        [2, 5, 14, 15, 16],
        [3, 6, 7, 13, 18],
        [10, 11, 12, 19, 20],
        [8, 17, 21, 23, 24],
        [1, 4, 9, 22],
    ],
    "loso": [[actor] for actor in range(1, 25)],
}
"""RAVDESS actors that each fold tests on: EmoBox (Ma 2024), Luna-Jimenez 2021, and one actor at a time."""


@dataclass(frozen=True)
class Parts:
    """Clips by part, each in the order of the corpus.

    Attributes:
        train: Clips to learn from.
        val: Clips to choose by.
        test: Clips to test on, once; none if any actor of the test is absent.
        absent_test_actors: Actors whom the split tests on and the corpus lacks.

    Raises:
        EmorecError: No clips to train or to validate on.
    """

    train: list[Clip]
    val: list[Clip]
    test: list[Clip]
    absent_test_actors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for part in LEARNED_FROM:
            if not getattr(self, part):
                raise EmorecError(f"clips in the part {part!r}", "none", "change data.split or data.corpus")

    @property
    def clips(self) -> list[Clip]:
        """The clips of all parts."""
        return [*self.train, *self.val, *self.test]

    @property
    def actors(self) -> dict[Part, list[str]]:
        """The actors of each part, in natural order."""
        return {part: _natural(clip.actor for clip in getattr(self, part)) for part in PARTS}


class Split(ABC):
    """A choice of actors for each part."""

    shared_actor_fix: ClassVar[str] = "name each actor in one list of data.split"

    @abstractmethod
    def actors(self, clips: Sequence[Clip]) -> dict[Part, list[str]]:
        """Choose the `canonical` actors of each part; those of the test need not be present."""

    def parts(self, clips: Sequence[Clip]) -> Parts:
        """Part the clips; those of an actor in no part are left out.

        Raises:
            EmorecError: An actor is in two parts, a training or validation actor is absent, or one of these
                two parts is empty.
        """
        actors, present = self.actors(clips), _present(clips)
        self._check_disjoint(actors)
        absent = {part: [actor for actor in actors[part] if actor not in present] for part in PARTS}
        for part in LEARNED_FROM:
            if absent[part]:
                found = f"no clips of actor {', '.join(absent[part])}"
                raise EmorecError(f"clips of every actor in {part!r}", found, "add them or change data.split")
        chosen = {part: [clip for clip in clips if canonical(clip.actor) in actors[part]] for part in PARTS}
        test = [] if absent["test"] else chosen["test"]
        return Parts(chosen["train"], chosen["val"], test, absent["test"])

    def _check_disjoint(self, actors: dict[Part, list[str]]) -> None:
        for actor in _natural(chain.from_iterable(actors.values())):
            parts = [part for part in PARTS if actor in actors[part]]
            if len(parts) > 1:
                found = f"actor {actor} in {' and '.join(parts)}"
                raise EmorecError("every actor in one part only", found, self.shared_actor_fix)


class ActorLists(Split):
    """Actors named one by one. A number may be written 1, "1" or "01".

    Quote a number with leading zeros: unquoted, YAML reads 010 as 8.

    Args:
        test: Actors to test on; they may be absent.
        val: Actors to validate on.
        train: Actors to train on; None means all the others that the corpus has.
    """

    def __init__(
        self, test: list[int | str], val: list[int | str], train: list[int | str] | None = None
    ) -> None:
        self.test = [canonical(actor) for actor in test]
        self.val = [canonical(actor) for actor in val]
        self.train = None if train is None else [canonical(actor) for actor in train]

    def actors(self, clips: Sequence[Clip]) -> dict[Part, list[str]]:
        """Return the lists, with the rest of the corpus to train on if none was named."""
        train = self.train
        if train is None:
            train = [actor for actor in _present(clips) if actor not in [*self.test, *self.val]]
        return {"train": train, "val": self.val, "test": self.test}


class Folds(Split):
    """A published fold of RAVDESS.

    The scheme says whom to test on. Of the other actors that are present, one man and one woman in turn
    validate, taken from the folds that follow this one (the first follows the last); the rest train.

    Args:
        scheme: `emobox` (6 folds of 4 actors), `lj5` (4 folds of 5 actors, 1 of 4) or `loso` (24 of 1).
        fold: Which fold to test on, from 0.
        val_actors: How many actors validate.

    Raises:
        EmorecError: No such scheme or fold, or nobody to validate on.
    """

    def __init__(self, scheme: Scheme, fold: int, val_actors: int = 4) -> None:
        if scheme not in TEST_ACTORS:
            expected = f"one of the schemes {', '.join(TEST_ACTORS)}"
            raise EmorecError(expected, repr(scheme), "set data.split.init_args.scheme")
        _check_numbers(fold, len(TEST_ACTORS[scheme]), val_actors)
        self.scheme: Scheme = scheme
        self.fold = fold
        self.val_actors = val_actors

    def actors(self, clips: Sequence[Clip]) -> dict[Part, list[str]]:
        """Choose by the scheme.

        Raises:
            EmorecError: An actor who is not one of the 24 of RAVDESS, or too few actors.
        """
        folds = [[str(actor) for actor in fold] for fold in TEST_ACTORS[self.scheme]]
        known = {actor: "male" if int(actor) % 2 else "female" for actor in chain.from_iterable(folds)}
        if foreign := [actor for actor in _present(clips) if actor not in known]:
            found = f"actor {foreign[0]}"
            raise EmorecError("RAVDESS actors 1 to 24", found, "use KFold or ActorLists as data.split")
        return _test_on(folds, self.fold, self.val_actors, _present(clips), known | _sexes(clips))


class KFold(Split):
    """One fold of a k-fold over the actors that are present; with as many folds as actors, leave one out.

    Where the corpus labels `sex`, folds differ by at most one in the actors of either sex, and validation
    actors are taken from each sex in turn, from the folds that follow this one.

    Args:
        folds: How many folds.
        fold: Which fold to test on, from 0.
        val_actors: How many actors validate.
        seed: Which of the many ways to deal actors into folds.

    Raises:
        EmorecError: Fewer than two folds, no such fold, or nobody to validate on.
    """

    def __init__(self, folds: int, fold: int, val_actors: int = 4, seed: int = 0) -> None:
        if folds < 2:
            raise EmorecError("at least 2 folds", str(folds), "set data.split.init_args.folds")
        _check_numbers(fold, folds, val_actors)
        self.folds = folds
        self.fold = fold
        self.val_actors = val_actors
        self.seed = seed

    def actors(self, clips: Sequence[Clip]) -> dict[Part, list[str]]:
        """Deal the actors, shuffled within each sex, into folds.

        Raises:
            EmorecError: Fewer actors than folds, or too few to validate and train on.
        """
        actors, sexes = _present(clips), _sexes(clips)
        if len(actors) < self.folds:
            found = f"{len(actors)} actors"
            raise EmorecError(f"at least {self.folds} actors", found, "set fewer data.split.init_args.folds")
        random.Random(self.seed).shuffle(actors)
        actors.sort(key=lambda actor: sexes.get(actor, ""))
        dealt = [actors[fold :: self.folds] for fold in range(self.folds)]
        return _test_on(dealt, self.fold, self.val_actors, actors, sexes)


class Published(Split):
    """The parts that the corpus publishes.

    Args:
        allow_shared_actors: Accept actors in several parts, as in MELD. The scores are then not those for
            speakers never heard.
    """

    shared_actor_fix = "choose another data.split or set data.split.init_args.allow_shared_actors"

    def __init__(self, allow_shared_actors: bool = False) -> None:
        self.allow_shared_actors = allow_shared_actors

    def actors(self, clips: Sequence[Clip]) -> dict[Part, list[str]]:
        """Read off who speaks in each part."""
        return {part: _present(clip for clip in clips if clip.part == part) for part in PARTS}

    def parts(self, clips: Sequence[Clip]) -> Parts:
        """Part the clips as published.

        Raises:
            EmorecError: A clip without a published part, an actor in two parts that was not allowed, or no
                clips to train or to validate on.
        """
        if stray := [clip.id for clip in clips if clip.part is None]:
            found = f"none for {len(stray)} clips, e.g. {stray[0]}"
            raise EmorecError("a published part for each clip", found, "use another data.split, e.g. KFold")
        if not self.allow_shared_actors:
            return super().parts(clips)
        log.warning("actors may be in several parts: scores are not those for speakers never heard")
        chosen = {part: [clip for clip in clips if clip.part == part] for part in PARTS}
        return Parts(chosen["train"], chosen["val"], chosen["test"])


def canonical(actor: int | str) -> str:
    """Name an actor so that 1, "1" and "01" are one; names that are no numbers stay as they are."""
    name = str(actor)
    return str(int(name)) if name.isdecimal() else name


def _natural(actors: Iterable[str]) -> list[str]:
    """Sort and drop repeats, numbers first and by value."""
    return sorted(set(actors), key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))


def _present(clips: Iterable[Clip]) -> list[str]:
    return _natural(canonical(clip.actor) for clip in clips)


def _sexes(clips: Iterable[Clip]) -> dict[str, str]:
    return {canonical(clip.actor): clip.labels["sex"] for clip in clips if "sex" in clip.labels}


def _check_numbers(fold: int, folds: int, val_actors: int) -> None:
    if not 0 <= fold < folds:
        raise EmorecError(f"a fold in 0..{folds - 1}", str(fold), "set data.split.init_args.fold")
    if val_actors < 1:
        raise EmorecError(
            "at least 1 validation actor", str(val_actors), "set data.split.init_args.val_actors"
        )


def _test_on(
    folds: list[list[str]], fold: int, val_actors: int, present: Sequence[str], sexes: dict[str, str]
) -> dict[Part, list[str]]:
    """Test on one fold; validate on actors of each sex in turn, starting with the fold after it."""
    others = [actor for actor in chain(*folds[fold + 1 :], *folds[:fold]) if actor in present]
    if len(others) <= val_actors:
        expected = f"more than {val_actors} actors besides those of the test"
        raise EmorecError(expected, str(len(others)), "set fewer data.split.init_args.val_actors")
    by_sex: dict[str, list[str]] = {}
    for actor in others:
        by_sex.setdefault(sexes.get(actor, ""), []).append(actor)
    in_turn = [actor for one_of_each in zip_longest(*by_sex.values()) for actor in one_of_each if actor]
    val = in_turn[:val_actors]
    return {"train": _natural(set(others) - set(val)), "val": _natural(val), "test": _natural(folds[fold])}
