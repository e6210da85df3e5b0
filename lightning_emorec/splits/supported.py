"""Which splits by actor a corpus has enough speakers for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lightning_emorec.errors import EmorecError
from lightning_emorec.splits.balance import classes_in, speakers_of_each
from lightning_emorec.splits.folds import KFold
from lightning_emorec.splits.split import PARTS, actors_in
from lightning_emorec.types import Clip

MOST_FOLDS = 10
"""More are rarely wanted, but one for each speaker."""


@dataclass(frozen=True)
class Supported:
    """What the speakers of a corpus allow.

    Attributes:
        folds: The most folds of a `KFold`, up to 10, each of which has each class in each part; 0 where there are none.
        val_actors: Validation actors for that; None where the default will do.
        speakers: How many there are: folds that leave one out at a time.
        one_out: Whether each speaker speaks each class, so that leaving one out tests on all.
    """

    folds: int
    val_actors: int | None
    speakers: int
    one_out: bool


def supported(clips: Sequence[Clip], classes: Collection[str]) -> Supported:
    """Find out by dealing the actors, as a `KFold` does.

    Args:
        clips: All with an actor.
        classes: Those of the first task that clips have.
    """
    speakers, spoken = actors_in(clips), classes_in(clips)
    one_out = len(speakers) > 2 and all(set(spoken.get(actor, ())) == set(classes) for actor in speakers)
    rarest = min((speakers_of_each(spoken, speakers)[one] for one in classes), default=0)
    for folds in range(min(MOST_FOLDS, rarest), 1, -1):
        for val_actors in (None, 2, 1):
            if _covers(clips, folds, val_actors, set(classes)):
                return Supported(folds, val_actors, len(speakers), one_out)
    return Supported(0, None, len(speakers), one_out)


def _covers(clips: Sequence[Clip], folds: int, val_actors: int | None, classes: set[str]) -> bool:
    """Whether each part of each fold has each class."""
    spoken = classes_in(clips)
    for fold in range(folds):
        try:
            actors = KFold(folds, fold, val_actors).actors(clips)
        except EmorecError:  # too few actors to validate and train on
            return False
        if any(speakers_of_each(spoken, actors[part]).keys() < classes for part in PARTS):
            return False
    return True
