from __future__ import annotations

import pytest

from lightning_emorec.errors import EmorecError
from lightning_emorec.splits import PARTS, ActorLists, Published, WithoutValidation
from lightning_emorec.types import Clip


def named(*actors: str) -> list[Clip]:
    return [Clip(f"{place}-{actor}", actor, None) for place, actor in enumerate(actors)]


def test_those_who_validated_train_in_the_order_of_the_corpus() -> None:
    clips = named("4", "1", "3", "2", "4", "1")
    other = ActorLists(test=[3], val=[4])
    parts = WithoutValidation(other).parts(clips)
    assert [clip.id for clip in parts.train] == ["0-4", "1-1", "3-2", "4-4", "5-1"]
    assert parts.val == []
    assert parts.test == other.parts(clips).test
    assert parts.actors == {"train": ["1", "2", "4"], "val": [], "test": ["3"]}


def test_absent_test_actors_stay_absent() -> None:
    parts = WithoutValidation(ActorLists(test=[3, 9], val=[4])).parts(named("1", "3", "4"))
    assert (parts.test, parts.absent_test_actors) == ([], ["9"])
    assert [clip.actor for clip in parts.train] == ["1", "4"]


def test_an_actor_in_two_parts_is_still_refused() -> None:
    with pytest.raises(EmorecError, match="actor 3 in train and test"):
        WithoutValidation(ActorLists(test=[3], val=[4], train=[1, 3])).parts(named("1", "3", "4"))


def test_published_clips_of_shared_actors_change_their_part_alone() -> None:
    clips = [Clip(str(row), "1", None, part=part) for row, part in enumerate(PARTS * 2)]
    parts = WithoutValidation(Published(allow_shared_actors=True)).parts(clips)
    assert [clip.id for clip in parts.train] == ["0", "1", "3", "4"]
    assert [clip.id for clip in parts.test] == ["2", "5"]
