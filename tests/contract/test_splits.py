"""What every split promises, whatever its rule."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from itertools import combinations

import pytest

import lightning_emorec.splits as splits
from lightning_emorec.splits import (
    PARTS,
    ActorLists,
    AllTested,
    Folds,
    KFold,
    LeaveCorpusOut,
    Published,
    Split,
    WithoutValidation,
)
from lightning_emorec.types import Clip, Part

CASES: dict[type[Split], Callable[[], Split]] = {
    ActorLists: lambda: ActorLists(test=[1, 9, 17, 19], val=[8, 10, 12, 15]),
    Folds: lambda: Folds("emobox", 5),
    KFold: lambda: KFold(folds=5, fold=4),
    Published: Published,
    WithoutValidation: lambda: WithoutValidation(KFold(folds=5, fold=4)),
}


def clips() -> list[Clip]:
    part_of: dict[int, Part] = {0: "train", 1: "val", 2: "test"}
    return [
        Clip(f"{actor:02d}-{take}", str(actor), None, {"sex": "male"}, part=part_of[actor % 3])
        for actor in range(1, 25)
        for take in range(3)
    ]


def ids(split: Split, given: list[Clip]) -> dict[Part, list[str]]:
    parts = split.parts(given)
    return {part: [clip.id for clip in getattr(parts, part)] for part in PARTS}


@pytest.fixture(params=CASES.values(), ids=lambda case: type(case()).__name__)
def split(request: pytest.FixtureRequest) -> Split:
    made = request.param()
    assert isinstance(made, Split)
    return made


def test_every_exported_split_is_tried() -> None:
    exported = [getattr(splits, name) for name in splits.__all__]
    classes = {kind for kind in exported if inspect.isclass(kind) and issubclass(kind, Split)}
    own = {
        AllTested,
        LeaveCorpusOut,
    }  # one has one part, the other's actors name their corpus: tests/unit/corpora
    assert {kind for kind in classes if not inspect.isabstract(kind)} == CASES.keys() | own


def test_no_actor_is_in_two_parts(split: Split) -> None:
    actors = split.parts(clips()).actors
    for one, other in combinations(PARTS, 2):
        assert not set(actors[one]) & set(actors[other])


def test_every_part_has_clips_and_no_clip_is_lost(split: Split) -> None:
    parts = ids(split, clips())
    assert [part for part in PARTS if not parts[part]] == (
        ["val"] if type(split) is WithoutValidation else []
    )
    assert sorted(sum(parts.values(), [])) == [clip.id for clip in clips()]  # noqa: RUF017 - three lists


def test_clips_keep_the_order_of_the_corpus(split: Split) -> None:
    assert all(part == sorted(part) for part in ids(split, clips()).values())


def test_a_split_is_the_same_every_time_and_in_any_order_of_clips(split: Split) -> None:
    shuffled = clips()
    random.Random(0).shuffle(shuffled)
    again = ids(split, shuffled)
    assert {part: sorted(again[part]) for part in PARTS} == ids(split, clips())
