from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from jsonargparse import ArgumentParser

from lightning_emorec.errors import EmorecError
from lightning_emorec.splits import TEST_ACTORS, ActorLists, Folds, KFold, Parts, Published, Split
from lightning_emorec.types import Clip, Part

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "split"
ACTORS = range(1, 25)
PRESENT = [actor for actor in ACTORS if actor not in (1, 9, 17, 19)]


def ravdess(actors: Iterable[int] = ACTORS) -> list[Clip]:
    return [Clip(f"{actor:02d}-{take}", str(actor), None) for actor in actors for take in range(2)]


def sexed(men: int, women: int) -> list[Clip]:
    names = [(f"m{i}", "male") for i in range(men)] + [(f"w{i}", "female") for i in range(women)]
    return [Clip(name, name, None, {"sex": sex}) for name, sex in names]


def published(**parts: str) -> list[Clip]:
    """`train="ab"` is a training clip of actor a and one of actor b."""
    known: dict[str, Part] = {"train": "train", "val": "val", "test": "test"}
    return [Clip(f"{part}-{actor}", actor, None, part=known[part]) for part in parts for actor in parts[part]]


def configured(name: str) -> Split:
    parser = ArgumentParser()
    parser.add_argument("--split", type=Split, sub_configs=True)
    split = parser.instantiate(parser.parse_args(["--split", str(CONFIGS / name)])).split
    assert isinstance(split, Split)
    return split


def men_among(actors: list[str]) -> int:
    return sum(int(actor) % 2 for actor in actors)


def test_an_actor_in_two_parts_is_refused() -> None:
    split = ActorLists(test=[1, 2], val=[2, 3])
    with pytest.raises(EmorecError, match="found actor 2 in val and test; name each actor in one list"):
        split.parts(ravdess())


def test_an_absent_training_actor_is_refused() -> None:
    split = ActorLists(test=[2], val=[3], train=[4, 9, 17])
    with pytest.raises(EmorecError, match=r"every actor in 'train'; found no clips of actor 9, 17"):
        split.parts(ravdess(PRESENT))


def test_an_absent_validation_actor_is_refused() -> None:
    with pytest.raises(EmorecError, match=r"every actor in 'val'; found no clips of actor 19"):
        ActorLists(test=[2], val=[3, 19]).parts(ravdess(PRESENT))


def test_a_split_without_validation_clips_is_refused() -> None:
    with pytest.raises(EmorecError, match=r"clips in the part 'val'; found none"):
        ActorLists(test=[2], val=[]).parts(ravdess())


def test_a_split_without_training_clips_is_refused() -> None:
    with pytest.raises(EmorecError, match=r"clips in the part 'train'; found none"):
        ActorLists(test=[2], val=[3]).parts(ravdess([2, 3]))


def test_one_absent_test_actor_leaves_the_test_empty() -> None:
    parts = ActorLists(test=[1, 2, 9], val=[3]).parts(ravdess(PRESENT))
    assert parts.test == []
    assert parts.absent_test_actors == ["1", "9"]


def test_present_test_actors_are_tested() -> None:
    parts = ActorLists(test=[1, 2], val=[3]).parts(ravdess())
    assert [clip.id for clip in parts.test] == ["01-0", "01-1", "02-0", "02-1"]
    assert parts.absent_test_actors == []


def test_parts_name_their_actors_in_natural_order() -> None:
    clips = [Clip(name, name, None) for name in ("10", "9", "b", "a", "2")]
    parts = Parts(train=clips, val=clips[:1], test=[])
    assert parts.actors == {"train": ["2", "9", "10", "a", "b"], "val": ["10"], "test": []}


@pytest.mark.parametrize("name", [1, "1", "01"])
def test_a_number_names_the_same_actor_however_it_is_written(name: int | str) -> None:
    parts = ActorLists(test=[name], val=[3]).parts(ravdess())
    assert parts.actors["test"] == ["1"]


def test_a_corpus_may_pad_its_actors_with_zeros() -> None:
    clips = [Clip(actor, actor, None) for actor in ("01", "02", "03")]
    assert ActorLists(test=[1], val=[2]).parts(clips).actors == {
        "train": ["03"],
        "val": ["02"],
        "test": ["01"],
    }


def test_other_names_are_taken_as_they_are() -> None:
    clips = [Clip(actor, actor, None) for actor in ("Ross", "ross", "p01")]
    assert ActorLists(test=["Ross"], val=["ross"]).parts(clips).actors["train"] == ["p01"]


def test_actors_in_no_list_are_left_out() -> None:
    parts = ActorLists(test=[1], val=[2], train=[3, 4]).parts(ravdess())
    assert {clip.actor for clip in [*parts.train, *parts.val, *parts.test]} == {"1", "2", "3", "4"}


@pytest.mark.parametrize("scheme", ["emobox", "lj5", "loso"])
def test_a_published_scheme_tests_each_actor_once(scheme: str) -> None:
    tested = [actor for fold in TEST_ACTORS[scheme] for actor in fold]  # type: ignore[index]
    assert sorted(tested) == list(ACTORS)


def test_a_fold_tests_on_the_published_actors() -> None:
    assert Folds("emobox", 0).parts(ravdess()).actors["test"] == ["1", "11", "20", "21"]
    assert Folds("lj5", 4).parts(ravdess()).actors["test"] == ["1", "4", "9", "22"]
    assert Folds("loso", 23).parts(ravdess()).actors["test"] == ["24"]


def test_validation_actors_of_a_fold_come_from_the_next_one() -> None:
    # After LJ-5's fold 0 comes 3, 6, 7, 13, 18: the first two men are 3 and 7, the two women 6 and 18.
    assert Folds("lj5", 0).parts(ravdess()).actors["val"] == ["3", "6", "7", "18"]


def test_the_first_fold_follows_the_last() -> None:
    # After LJ-5's fold 4 comes 2, 5, 14, 15, 16.
    assert Folds("lj5", 4).parts(ravdess()).actors["val"] == ["2", "5", "14", "15"]


@pytest.mark.parametrize(("scheme", "folds"), [("emobox", 6), ("lj5", 5), ("loso", 24)])
@pytest.mark.parametrize("actors", [ACTORS, PRESENT])
def test_two_men_and_two_women_validate_every_fold(scheme: str, folds: int, actors: list[int]) -> None:
    for fold in range(folds):
        parts = Folds(scheme, fold).parts(ravdess(actors))  # type: ignore[arg-type]
        assert (len(parts.actors["val"]), men_among(parts.actors["val"])) == (4, 2)


def test_a_fold_trains_on_all_others_who_are_present() -> None:
    parts = Folds("emobox", 1).parts(ravdess(PRESENT))
    named = [int(actor) for part in ("train", "val", "test") for actor in parts.actors[part]]  # type: ignore[index]
    assert sorted(named) == PRESENT


def test_a_fold_with_an_absent_test_actor_leaves_the_test_empty() -> None:
    parts = Folds("emobox", 0).parts(ravdess(PRESENT))
    assert parts.test == []
    assert parts.absent_test_actors == ["1"]


def test_sex_labels_come_before_the_number_of_the_actor() -> None:
    sexes = dict.fromkeys(range(1, 25), "female") | {2: "male", 3: "male"}
    clips = [Clip(str(actor), str(actor), None, {"sex": sex}) for actor, sex in sexes.items()]
    assert Folds("loso", 3, val_actors=4).parts(clips).actors["val"] == ["2", "3", "5", "6"]


def test_folds_of_ravdess_refuse_another_corpus() -> None:
    with pytest.raises(EmorecError, match="RAVDESS actors 1 to 24; found actor Ross; use KFold"):
        Folds("lj5", 0).parts([*ravdess(), Clip("x", "Ross", None)])


@pytest.mark.parametrize("fold", [-1, 6])
def test_a_fold_that_is_not_in_the_scheme_is_refused(fold: int) -> None:
    with pytest.raises(EmorecError, match=rf"a fold in 0\.\.5; found {fold}"):
        Folds("emobox", fold)


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(EmorecError, match="emobox, lj5, loso; found 'lopo'"):
        Folds("lopo", 0)  # type: ignore[arg-type]


def test_validating_on_nobody_is_refused() -> None:
    for none in (0, -1, 0.0, 1.0, 4.0, 2.5):
        with pytest.raises(
            EmorecError, match=f"at least 1 validation actor, or a share .* 0 and 1; found {none};"
        ):
            Folds("emobox", 0, val_actors=none)


def test_validating_on_everybody_is_refused() -> None:
    with pytest.raises(EmorecError, match="more than 3 actors besides those of the test; found 3"):
        Folds("loso", 0, val_actors=3).parts(ravdess([1, 2, 3, 4]))


def test_k_folds_test_each_actor_once() -> None:
    clips = sexed(7, 6)
    tested = [actor for fold in range(4) for actor in KFold(4, fold).parts(clips).actors["test"]]
    assert sorted(tested) == sorted({clip.actor for clip in clips})


@pytest.mark.parametrize(("men", "women", "folds"), [(12, 12, 5), (7, 6, 4), (2, 9, 3)])
def test_k_folds_differ_by_at_most_one_actor_of_each_sex(men: int, women: int, folds: int) -> None:
    clips = sexed(men, women)
    tests = [KFold(folds, fold, val_actors=1).parts(clips).actors["test"] for fold in range(folds)]
    for sex in "mw":
        counts = [sum(actor.startswith(sex) for actor in test) for test in tests]
        assert max(counts) - min(counts) <= 1


def test_validation_actors_of_a_k_fold_are_balanced_and_from_the_next_fold() -> None:
    clips = sexed(8, 8)
    val, following = (
        KFold(4, fold).parts(clips).actors[part]
        for fold, part in ((1, "val"), (2, "test"))  # type: ignore[index]
    )
    assert val == following
    assert sum(actor.startswith("m") for actor in val) == 2


def test_as_many_folds_as_actors_leave_one_out() -> None:
    clips = sexed(3, 3)
    assert [len(KFold(6, fold).parts(clips).actors["test"]) for fold in range(6)] == [1] * 6


def test_k_folds_need_no_sex_labels() -> None:
    parts = KFold(5, 2).parts(ravdess())
    assert [len(parts.actors[part]) for part in ("train", "val", "test")] == [15, 4, 5]  # type: ignore[index]


def test_another_seed_deals_other_folds() -> None:
    clips = sexed(10, 10)
    assert KFold(5, 0, seed=0).parts(clips).actors != KFold(5, 0, seed=1).parts(clips).actors


def test_more_folds_than_actors_are_refused() -> None:
    with pytest.raises(EmorecError, match="at least 5 actors; found 4 actors; set fewer"):
        KFold(5, 0).parts(ravdess([1, 2, 3, 4]))


@pytest.mark.parametrize(
    ("folds", "fold", "match"), [(1, 0, "at least 2 folds"), (5, 5, r"a fold in 0\.\.4")]
)
def test_impossible_numbers_of_folds_are_refused(folds: int, fold: int, match: str) -> None:
    with pytest.raises(EmorecError, match=match):
        KFold(folds, fold)


def test_published_parts_are_kept() -> None:
    parts = Published().parts(published(train="ab", val="c", test="d"))
    assert parts.actors == {"train": ["a", "b"], "val": ["c"], "test": ["d"]}


def test_published_parts_that_share_an_actor_are_refused() -> None:
    with pytest.raises(EmorecError, match=r"actor b in train and test; .*allow_shared_actors"):
        Published().parts(published(train="ab", val="c", test="b"))


def test_shared_actors_can_be_allowed_and_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    clips = published(train="ab", val="a", test="b")
    with caplog.at_level(logging.WARNING):
        parts = Published(allow_shared_actors=True).parts(clips)
    assert [clip.id for clip in [*parts.train, *parts.val, *parts.test]] == [clip.id for clip in clips]
    assert "unseen speakers" in caplog.text


def test_a_clip_without_a_published_part_is_refused() -> None:
    clips = [*published(train="a", val="b"), Clip("stray", "c", None)]
    with pytest.raises(EmorecError, match=r"none for 1 clips, e\.g\. stray"):
        Published().parts(clips)


def test_published_parts_without_validation_clips_are_refused() -> None:
    with pytest.raises(EmorecError, match="clips in the part 'val'; found none"):
        Published(allow_shared_actors=True).parts(published(train="a", test="b"))


def test_the_seed_split_is_the_published_one() -> None:
    actors = configured("seed.yaml").parts(ravdess()).actors
    assert actors["test"] == ["1", "9", "17", "19"]
    assert actors["val"] == ["8", "10", "12", "15"]
    assert len(actors["train"]) == 16


def test_the_dev_split_is_the_same_with_and_without_the_seed_splits_test_actors() -> None:
    with_all, without = (configured("dev.yaml").parts(ravdess(actors)).actors for actors in (ACTORS, PRESENT))
    assert with_all == without
    assert [len(without[part]) for part in ("train", "val", "test")] == [12, 4, 4]  # type: ignore[index]


@pytest.mark.parametrize("name", sorted(path.name for path in CONFIGS.glob("*[!t].yaml")))
def test_every_configured_split_parts_all_of_ravdess(name: str) -> None:
    clips = [replace(clip, part="train" if int(clip.actor) > 4 else "val") for clip in ravdess()]
    assert configured(name).parts(clips).absent_test_actors == []


@pytest.mark.parametrize("split", [ActorLists(test=[1], val=[2]), Published(allow_shared_actors=True)])
def test_clips_without_an_actor_are_refused(split: Split) -> None:
    clips = [Clip(name, actor, None, part="train") for name, actor in {"a": "1", "b": "", "c": ""}.items()]
    with pytest.raises(EmorecError, match="for every clip; found none for 2 of 3 clips, such as b; name"):
        split.parts(clips)
