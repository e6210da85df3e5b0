"""Folds over actors: published ones of RAVDESS, and k over the actors of any corpus."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import chain
from typing import Literal

from lightning_emorec.errors import EmorecError
from lightning_emorec.splits.balance import (
    Classes,
    ValActors,
    balanced,
    checked_val_actors,
    classes_in,
    speakers_of_each,
    validating,
    validation_of,
)
from lightning_emorec.splits.class_coverage import warn_once
from lightning_emorec.splits.split import Split, actors_in, natural, sexes_in
from lightning_emorec.types import Clip, Part

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


class Folds(Split):
    """A published fold of RAVDESS.

    The scheme says whom to test on. Of the other actors that are present, one man and one woman in turn
    validate, taken from the folds that follow this one (the first follows the last); the rest train. Others are
    chosen where a part would lack a class.

    Args:
        scheme: `emobox` (6 folds of 4 actors), `lj5` (4 folds of 5 actors, 1 of 4) or `loso` (24 of 1).
        fold: Which fold to test on, from 0.
        val_actors: How many actors validate, or which share of those not tested on, such as 0.15; null for 4, or a
            share of 0.15 where 4 actors have very few clips.

    Raises:
        EmorecError: No such scheme or fold, or nobody to validate on.
    """

    def __init__(self, scheme: Scheme, fold: int, val_actors: ValActors = None) -> None:
        if scheme not in TEST_ACTORS:
            expected = f"one of the schemes {', '.join(TEST_ACTORS)}"
            raise EmorecError(expected, repr(scheme), "set data.split.init_args.scheme")
        _check_fold(fold, len(TEST_ACTORS[scheme]))
        self.scheme: Scheme = scheme
        self.fold = fold
        self.val_actors = checked_val_actors(val_actors)

    def actors(self, clips: Sequence[Clip]) -> dict[Part, list[str]]:
        """Choose by the scheme.

        Raises:
            EmorecError: An actor who is not one of the 24 of RAVDESS, or too few actors.
        """
        folds = [[str(actor) for actor in fold] for fold in TEST_ACTORS[self.scheme]]
        known = {actor: "male" if int(actor) % 2 else "female" for actor in chain.from_iterable(folds)}
        if foreign := [actor for actor in actors_in(clips) if actor not in known]:
            found = f"actor {foreign[0]}"
            raise EmorecError("RAVDESS actors 1 to 24", found, "use KFold or ActorLists as data.split")
        return test_on(folds, self.fold, self.val_actors, clips, known | sexes_in(clips))


class KFold(Split):
    """One fold of a k-fold over the actors that are present; with as many folds as actors, leave one out.

    Where the corpus labels `sex`, folds differ by at most one in the actors of either sex, and validation
    actors are taken from each sex in turn, from the folds that follow this one. Where a fold or a part would lack a
    class of the first task that enough actors speak, actors are dealt so that it has it, and balanced by sex next.

    Args:
        folds: How many folds.
        fold: Which fold to test on, from 0.
        val_actors: How many actors validate, or which share of those not tested on, such as 0.15; null for 4, or a
            share of 0.15 where 4 actors have very few clips.
        seed: Which of the many ways to deal actors into folds.

    Raises:
        EmorecError: Fewer than two folds, no such fold, or nobody to validate on.
    """

    def __init__(self, folds: int, fold: int, val_actors: ValActors = None, seed: int = 0) -> None:
        if folds < 2:
            raise EmorecError("at least 2 folds", str(folds), "set data.split.init_args.folds")
        _check_fold(fold, folds)
        self.folds = folds
        self.fold = fold
        self.val_actors = checked_val_actors(val_actors)
        self.seed = seed

    def actors(self, clips: Sequence[Clip]) -> dict[Part, list[str]]:
        """Deal the actors, shuffled within each sex, into folds; warn of classes that too few speak for all folds.

        Raises:
            EmorecError: Fewer actors than folds, or too few to validate and train on.
        """
        actors, sexes = actors_in(clips), sexes_in(clips)
        if len(actors) < self.folds:
            found = f"{len(actors)} actors"
            raise EmorecError(f"at least {self.folds} actors", found, "set fewer data.split.init_args.folds")
        random.Random(self.seed).shuffle(actors)
        actors.sort(key=lambda actor: sexes.get(actor, ""))
        dealt = [actors[fold :: self.folds] for fold in range(self.folds)]
        classes = classes_in(clips)
        _warn_of_rare(classes, self.folds)
        dealt = balanced(dealt, classes, sexes)
        return test_on(dealt, self.fold, self.val_actors, clips, sexes)


def _check_fold(fold: int, folds: int) -> None:
    if not 0 <= fold < folds:
        raise EmorecError(f"a fold in 0..{folds - 1}", str(fold), "set data.split.init_args.fold")


def _warn_of_rare(classes: Classes, folds: int) -> None:
    speakers = speakers_of_each(classes, classes.keys())
    if rare := sorted(f"{one} ({count})" for one, count in speakers.items() if count < folds):
        warn_once(
            f"classes that fewer actors speak than there are folds, {folds}: some folds test without {', '.join(rare)}"
        )


def test_on(
    folds: list[list[str]], fold: int, val_actors: ValActors, clips: Sequence[Clip], sexes: dict[str, str]
) -> dict[Part, list[str]]:
    """Test on one fold; validate on actors of each sex in turn, starting with the fold after it.

    Raises:
        EmorecError: Too few actors to validate and train on.
    """
    present = set(actors_in(clips))
    others = [actor for actor in chain(*folds[fold + 1 :], *folds[:fold]) if actor in present]
    count = validating(val_actors, set(others), clips)
    if len(others) <= count:
        expected = f"more than {count} actors besides those of the test"
        raise EmorecError(expected, str(len(others)), "set fewer data.split.init_args.val_actors")
    val = validation_of(others, count, classes_in(clips), sexes)
    return {"train": natural(set(others) - set(val)), "val": natural(val), "test": natural(folds[fold])}
