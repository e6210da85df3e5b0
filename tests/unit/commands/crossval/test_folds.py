from __future__ import annotations

import pytest

from lightning_emorec.commands.crossval.folds import Folding, inner_folds, outer_folds
from lightning_emorec.errors import EmorecError
from lightning_emorec.splits import PARTS, TEST_ACTORS
from lightning_emorec.types import Clip
from tests.unit.commands.crossval.conftest import ravdess

FOLDINGS: list[Folding] = [*TEST_ACTORS, 2, 5, 24]


def actors(clips: list[Clip]) -> set[str]:
    return {clip.actor for clip in clips}


@pytest.mark.parametrize("folding", FOLDINGS)
def test_every_clip_is_tested_once(folding: Folding) -> None:
    tested = [clip.id for fold in outer_folds(folding, 4, ravdess()) for clip in fold.parts.test]
    assert sorted(tested) == [clip.id for clip in ravdess()]


@pytest.mark.parametrize("inner", [2, 3, 5])
@pytest.mark.parametrize("folding", FOLDINGS)
def test_no_actor_of_an_outer_test_is_in_any_inner_part(folding: Folding, inner: int) -> None:
    for outer in outer_folds(folding, 4, ravdess()):
        for fold in inner_folds(outer, inner, 4):
            assert not actors(outer.parts.test) & actors(fold.parts.clips)


@pytest.mark.parametrize("inner", [2, 3, 5])
@pytest.mark.parametrize("folding", FOLDINGS)
def test_inner_folds_judge_each_clip_that_the_outer_fold_learns_from_once(
    folding: Folding, inner: int
) -> None:
    for outer in outer_folds(folding, 4, ravdess()):
        judged = [clip.id for fold in inner_folds(outer, inner, 4) for clip in fold.parts.test]
        assert sorted(judged) == sorted(clip.id for clip in outer.learned_from)


@pytest.mark.parametrize("inner", [2, 3, 5])
@pytest.mark.parametrize("folding", FOLDINGS)
def test_no_actor_is_in_two_parts_of_an_inner_fold(folding: Folding, inner: int) -> None:
    for outer in outer_folds(folding, 4, ravdess()):
        for fold in inner_folds(outer, inner, 4):
            assert sum(len(actors(getattr(fold.parts, part))) for part in PARTS) == len(
                actors(fold.parts.clips)
            )
            assert actors(fold.parts.clips) == actors(outer.learned_from)


@pytest.mark.parametrize("folding", FOLDINGS)
def test_inner_folds_are_balanced_by_sex(folding: Folding) -> None:
    for outer in outer_folds(folding, 4, ravdess()):
        tested = [actors(fold.parts.test) for fold in inner_folds(outer, 3, 4)]
        for odd in (0, 1):
            counts = [sum(int(actor) % 2 == odd for actor in of) for of in tested]
            assert max(counts) - min(counts) <= 1


def test_an_inner_fold_validates_on_as_large_a_share_as_the_outer_one() -> None:
    outer = outer_folds(5, 4, ravdess([*range(2, 9), *range(10, 17), 18, *range(20, 25)]))[0]
    assert len(actors(outer.learned_from)) == 16
    found = [len(actors(fold.parts.val)) for fold in inner_folds(outer, 3, 4)]
    assert found == [2, 2, 2]  # 4 × 10 / 16 and 4 × 11 / 16, rounded down


def test_a_published_scheme_names_the_folds_that_are_complete() -> None:
    present = [actor for actor in range(1, 25) if actor not in (1, 9, 17, 19)]
    with pytest.raises(
        EmorecError, match=r"fold 0 lacks 1; fold 2 lacks 9, 19; fold 5 lacks 17; complete: 1, 3, 4"
    ):
        outer_folds("emobox", 4, ravdess(present))


def test_too_few_actors_to_validate_name_the_knob_of_crossval() -> None:
    with pytest.raises(EmorecError, match="change --folds or --val_actors"):
        outer_folds(3, 4, ravdess(range(1, 7)))


def test_too_few_actors_for_inner_folds_are_refused() -> None:
    outer = outer_folds(2, 1, ravdess(range(1, 7)))[0]
    with pytest.raises(EmorecError, match="actors for 2 inner folds; found 3 actors"):
        inner_folds(outer, 2, 1)


def test_one_fold_is_refused() -> None:
    with pytest.raises(EmorecError, match="at least 2 folds"):
        outer_folds(1, 4, ravdess())


def test_a_share_of_the_actors_validates_in_outer_folds() -> None:
    outer = outer_folds(4, 0.25, ravdess())[0]
    assert len(actors(outer.parts.val)) == round(0.25 * len(actors(outer.learned_from)))
    assert outer.spec["init_args"]["val_actors"] == 0.25
