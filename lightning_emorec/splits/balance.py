"""Actors dealt into folds, and chosen to validate, so that each part has each class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from lightning_emorec.errors import EmorecError
from lightning_emorec.speaker_names import canonical
from lightning_emorec.types import Clip

Classes = Mapping[str, Collection[str]]
"""Actor -> classes of the first task that it speaks; an actor without labels may be absent."""

if TYPE_CHECKING:
    Share = float
else:  # a float would take 4 for 4.0: Python may give `int | float | None` the order that another module wrote first
    from jsonargparse.typing import restricted_number_type

    # Any number: `checked_val_actors` refuses what is no share, in one line in place of the parser's ten.
    Share = restricted_number_type("Share", float, (">", float("-inf")))

ValActors = int | Share | None
"""How many actors validate: a number, a share of those who are not tested on, or None for what the corpus asks for."""

_ACTORS, _SHARE = 4, 0.15
_FEW_CLIPS, _SMALL_SHARE = 10, 0.1  # of validation; both together are too little to choose an epoch by


def classes_in(clips: Sequence[Clip]) -> dict[str, set[str]]:
    """What each actor speaks of the first task, which labels begin with; sex is balanced by itself."""
    labelled = max((clip.labels for clip in clips), key=len, default={})
    task = next((task for task in labelled if task != "sex"), "")
    spoken: dict[str, set[str]] = {}
    for clip in clips:
        if task in clip.labels:
            spoken.setdefault(canonical(clip.actor), set()).add(clip.labels[task])
    return spoken


def speakers_of_each(classes: Classes, actors: Collection[str]) -> Counter[str]:
    """Class -> how many of these actors speak it."""
    return Counter(chain.from_iterable(classes.get(actor, ()) for actor in actors))


def balanced(folds: list[list[str]], classes: Classes, sexes: Mapping[str, str]) -> list[list[str]]:
    """Deal anew, unless each fold has each class that enough actors speak.

    Actors of the rarest class are dealt first, each to the fold that has the fewest of that class; of several to the
    one that gains most classes, then to that with the fewest of the actor's sex, then to the smallest.

    Args:
        folds: As dealt without regard to classes.
        classes: What each actor speaks.
        sexes: The sex of each actor, where known.

    Returns:
        Folds of the same actors. Takes time in proportion to actors times folds.
    """
    actors = [one for row in zip_longest(*folds) for one in row if one is not None]  # in the order of dealing
    frequent = {one for one, count in speakers_of_each(classes, actors).items() if count >= len(folds)}
    if all(frequent <= speakers_of_each(classes, fold).keys() for fold in folds):
        return folds
    frequency = speakers_of_each(classes, actors)
    rarest = {
        actor: min(classes.get(actor, ()), key=lambda one: (frequency[one], one), default="")
        for actor in actors
    }
    actors.sort(key=lambda actor: (not rarest[actor], frequency[rarest[actor]], rarest[actor]))
    dealt: list[list[str]] = [[] for _ in folds]
    spoken: list[Counter[str]] = [Counter() for _ in folds]
    of_sex: list[Counter[str]] = [Counter() for _ in folds]
    for actor in actors:
        own, sex = classes.get(actor, ()), sexes.get(actor, "")

        def place(
            fold: int, actor: str = actor, own: Collection[str] = own, sex: str = sex
        ) -> tuple[int, ...]:
            gained = sum(not spoken[fold][one] for one in own)
            return spoken[fold][rarest[actor]], -gained, of_sex[fold][sex], len(dealt[fold])

        fold = min(range(len(folds)), key=place)
        dealt[fold].append(actor)
        spoken[fold].update(own)
        of_sex[fold][sex] += 1
    return dealt


def checked_val_actors(val_actors: ValActors) -> ValActors:
    """A number of actors or a share, if it can be.

    Raises:
        EmorecError: A number below 1, or a share that is not between 0 and 1.
    """
    if val_actors is None or (val_actors >= 1 if isinstance(val_actors, int) else 0 < val_actors < 1):
        return val_actors
    expected = "at least 1 validation actor, or a share of the actors between 0 and 1"
    raise EmorecError(expected, str(val_actors), "set data.split.init_args.val_actors")


def validating(val_actors: ValActors, others: Collection[str], clips: Sequence[Clip]) -> int:
    """How many of the actors who are not tested on validate.

    Returns:
        The number, or the share (rounded, at least 1). By default 4, or 15 % where 4 actors would be less than a tenth
        of the others and have, on average, fewer than 10 clips.
    """
    if isinstance(val_actors, int):
        return val_actors
    if val_actors is None:
        spoken = sum(canonical(clip.actor) in others for clip in clips)
        if _SMALL_SHARE * len(others) <= _ACTORS or _ACTORS * spoken >= _FEW_CLIPS * len(others):
            return _ACTORS
    return max(1, round((val_actors or _SHARE) * len(others)))


def validation_of(others: Sequence[str], count: int, classes: Classes, sexes: Mapping[str, str]) -> list[str]:
    """Choose who validates: of each sex in turn, and so that they and those who train have each class.

    Args:
        others: Who is not tested on, those to be preferred first.
        count: How many validate; fewer than `others`.
        classes: What each actor speaks.
        sexes: The sex of each actor, where known.

    Returns:
        The first of each sex in turn, where that gives each class that two of the others speak to both parts.
    """
    by_sex: dict[str, list[str]] = {}
    for actor in others:
        by_sex.setdefault(sexes.get(actor, ""), []).append(actor)
    in_turn = [actor for row in zip_longest(*by_sex.values()) for actor in row if actor is not None]
    left = speakers_of_each(classes, others)
    wanted = {one for one, speakers in left.items() if speakers > 1}
    first = speakers_of_each(classes, in_turn[:count])
    if all(0 < first[one] < left[one] for one in wanted):
        return in_turn[:count]
    chosen: dict[str, None] = {}

    def spares(actor: str) -> bool:
        return actor not in chosen and all(left[one] > 1 for one in classes.get(actor, ()))

    def choose(actor: str) -> None:
        chosen[actor] = None
        wanted.difference_update(classes.get(actor, ()))
        left.subtract(classes.get(actor, ()))

    while wanted and len(chosen) < count:  # at most once a class
        able = [actor for actor in in_turn if not wanted.isdisjoint(classes.get(actor, ())) and spares(actor)]
        if not able:
            break
        chosen_of = Counter(sexes.get(actor, "") for actor in chosen)
        gains = {
            actor: (len(wanted & set(classes[actor])), -chosen_of[sexes.get(actor, "")]) for actor in able
        }
        choose(max(able, key=gains.__getitem__))
    for may in (
        spares,
        lambda actor: actor not in chosen,
    ):  # the second only where every actor is the last of a class
        for actor in in_turn:
            if len(chosen) < count and may(actor):
                choose(actor)
    return list(chosen)
