"""The actors of each outer fold, and the inner folds over its other actors for out-of-fold logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lightning_emorec.errors import EmorecError
from lightning_emorec.splits import TEST_ACTORS, ActorLists, Folds, KFold, Parts, Scheme, Split, canonical
from lightning_emorec.types import Clip

Folding = Scheme | int
"""A published scheme, or a number of folds over the actors of the corpus."""


@dataclass(frozen=True)
class Fold:
    """One fold, outer or inner.

    Attributes:
        index: From 0.
        spec: The split in the form of `data.split`.
        parts: Its clips.
    """

    index: int
    spec: dict[str, Any]
    parts: Parts

    @property
    def learned_from(self) -> list[Clip]:
        """The training and validation clips."""
        return [*self.parts.train, *self.parts.val]


def outer_folds(folding: Folding, val_actors: int | float, clips: Sequence[Clip]) -> list[Fold]:
    """The outer folds; each actor is a test actor in one of them.

    Raises:
        EmorecError: Actors of a published fold are absent, or there are too few actors.
    """
    count = folding if isinstance(folding, int) else len(TEST_ACTORS[folding])
    if count < 2:
        raise EmorecError("at least 2 folds", str(count), "set --folds")
    try:
        folds = [_outer_fold(folding, index, val_actors, clips) for index in range(count)]
    except EmorecError as error:
        raise EmorecError(error.expected, error.found, "change --folds or --val_actors") from error
    _refuse_incomplete(folding, folds)
    return folds


def some_split() -> dict[str, Any]:
    """A placeholder split that is valid for any corpus."""
    return _spec(KFold(2, 0), {"folds": 2, "fold": 0})


def inner_folds(outer: Fold, count: int, val_actors: int) -> list[Fold]:
    """Divide the training and validation actors of an outer fold into inner folds, balanced by sex.

    The test actors of the outer fold are not used. The training and validation actors of an inner fold have about the
    ratio of those of the outer fold, which has `val_actors` (rounded down, at least one).
    """
    clips = outer.learned_from
    actors = {canonical(clip.actor) for clip in clips}
    smallest = len(actors) - -(-len(actors) // count)  # actors besides those of the largest fold
    if smallest < 2:
        found = f"{len(actors)} actors besides those of a test fold"
        raise EmorecError(f"actors for {count} inner folds", found, "set a smaller --inner (0 for none)")
    return [_inner_fold(clips, index, count, val_actors) for index in range(count)]


def _outer_fold(folding: Folding, index: int, val_actors: int | float, clips: Sequence[Clip]) -> Fold:
    split: Split
    if isinstance(folding, int):
        init: dict[str, Any] = {"folds": folding, "fold": index, "val_actors": val_actors}
        split = KFold(**init)
    else:
        init = {"scheme": folding, "fold": index, "val_actors": val_actors}
        split = Folds(**init)
    return Fold(index, _spec(split, init), split.parts(clips))


def _inner_fold(clips: Sequence[Clip], index: int, count: int, val_actors: int) -> Fold:
    dealt = KFold(count, index, val_actors=1).actors(clips)
    others = len(dealt["train"]) + len(dealt["val"])
    share = max(1, val_actors * others // (others + len(dealt["test"])))
    actors = KFold(count, index, val_actors=min(share, others - 1)).actors(clips)
    init: dict[str, Any] = {part: list(actors[part]) for part in ("test", "val", "train")}
    split = ActorLists(**init)
    return Fold(index, _spec(split, init), split.parts(clips))


def _spec(split: Split, init_args: dict[str, Any]) -> dict[str, Any]:
    return {"class_path": f"{type(split).__module__}.{type(split).__name__}", "init_args": init_args}


def _refuse_incomplete(folding: Folding, folds: Sequence[Fold]) -> None:
    absent = {fold.index: fold.parts.absent_test_actors for fold in folds if fold.parts.absent_test_actors}
    if not absent:
        return
    lacking = "; ".join(f"fold {index} lacks {', '.join(actors)}" for index, actors in absent.items())
    complete = ", ".join(str(fold.index) for fold in folds if fold.index not in absent) or "none"
    raise EmorecError(
        f"the test actors of every fold of {folding}",
        f"{lacking}; complete: {complete}",
        "set --folds K for K folds over the actors that are there",
    )
