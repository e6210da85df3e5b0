"""Folds and validation in which each part has each class, and those that are dealt as they always were."""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from jsonargparse import ArgumentParser

from lightning_emorec.corpora import Ravdess, Synthetic
from lightning_emorec.corpora.naming import EMOTIONS, RavdessName
from lightning_emorec.errors import EmorecError
from lightning_emorec.splits import ActorLists, Folds, KFold, Parts, Split, check_classes
from lightning_emorec.splits.class_coverage import warn_once
from lightning_emorec.types import Clip, Part

TASKS = {"emotion": ["happy", "sad", "angry", "neutral"]}
Dealt = list[tuple[str, str]]
"""The actors tested on and those that validate, a fold a pair, as they were dealt before classes were looked at."""

ALL_24: Dealt = [
    ("2 18 19 20 23", "6 8 11 17"),
    ("6 8 11 14 17", "5 10 12 15"),
    ("5 9 10 12 15", "1 3 22 24"),
    ("1 3 13 22 24", "4 7 16 21"),
    ("4 7 16 21", "18 19 20 23"),
]
TWENTY: Dealt = [
    ("5 12 18 20", "2 7 10 13"),
    ("2 7 10 16", "6 11 13 22"),
    ("6 11 13 22", "3 14 23 24"),
    ("3 14 23 24", "4 8 15 21"),
    ("4 8 15 21", "5 7 12 18"),
]
SYNTHETIC: Dealt = [("2 3 8", "5 10 12"), ("5 10 12", "4 6 9"), ("1 6 9", "2 4 11"), ("4 7 11", "2 3 8")]


def ravdess(actors: Iterable[int]) -> list[Clip]:
    names = [RavdessName(emotion, "normal", 1, 1, actor) for actor in actors for emotion in EMOTIONS]
    return [Clip(name.stem, str(name.actor), None, name.labels) for name in names]


def spoken(*classes: str, sex: str = "") -> list[Clip]:
    """One speaker an argument, one clip a word of it; sexes are a letter each."""
    sexes = [{"sex": sex[row]} if sex else {} for row in range(len(classes))]
    return [
        Clip(f"s{row}-{take}", f"s{row}", None, {"emotion": label} | sexes[row])
        for row, labels in enumerate(classes)
        for take, label in enumerate(labels.split())
    ]


def labels_of(clips: Iterable[Clip]) -> set[str]:
    return {clip.labels["emotion"] for clip in clips}


def check_pinned(clips: list[Clip], expected: Dealt, val_actors: int | None) -> None:
    for fold, (test, val) in enumerate(expected):
        actors = KFold(len(expected), fold, val_actors).actors(clips)
        assert (actors["test"], actors["val"]) == (test.split(), val.split())


@pytest.mark.parametrize("val_actors", [None, 4])
def test_ravdess_is_dealt_as_before(val_actors: int | None) -> None:
    check_pinned(ravdess(range(1, 25)), ALL_24, val_actors)
    check_pinned(ravdess(actor for actor in range(1, 25) if actor not in (1, 9, 17, 19)), TWENTY, val_actors)


def test_the_twenty_actors_at_hand_are_dealt_as_before(shared: Path) -> None:
    clips = Ravdess(str(shared / "data" / "ravdess16k"), download=False).clips()
    check_pinned(clips, TWENTY, None)


def test_the_synthetic_corpus_is_dealt_as_before(tmp_path: Path) -> None:
    names = Synthetic(str(tmp_path))._names()
    check_pinned([Clip(name.stem, str(name.actor), None, name.labels) for name in names], SYNTHETIC, 3)


def test_each_class_is_in_each_part_where_speakers_speak_one_class_only() -> None:
    clips = spoken(*(" ".join([TASKS["emotion"][speaker % 4]] * 5) for speaker in range(20)), sex="mf" * 10)
    for fold in range(5):
        parts = KFold(5, fold).parts(clips)
        for part in (parts.train, parts.val, parts.test):
            assert labels_of(part) == set(TASKS["emotion"])
        assert len(parts.actors["test"]) == 4


def test_classes_that_as_many_speak_as_there_are_folds_are_in_each_fold() -> None:
    for seed in range(50):
        draw = random.Random(seed)
        clips = spoken(*(" ".join(draw.choices("abcdef", k=draw.randint(1, 3))) for _ in range(30)))
        speakers = Counter(label for _, label in {(clip.actor, clip.labels["emotion"]) for clip in clips})
        frequent = {label for label, count in speakers.items() if count >= 4}
        parts = [KFold(4, fold, val_actors=0.3).parts(clips) for fold in range(4)]
        assert all(frequent <= labels_of(fold.test) for fold in parts)
        assert all(frequent <= labels_of(fold.train) for fold in parts)
        tested = [actor for fold in parts for actor in fold.actors["test"]]
        assert sorted(tested) == sorted({clip.actor for clip in clips})


def test_sexes_are_balanced_where_classes_leave_a_choice() -> None:
    clips = spoken(*(["a a", "b b"] * 10), sex="mmff" * 5)
    for fold in range(5):
        test = KFold(5, fold).parts(clips).test
        assert Counter(clip.labels["sex"] for clip in test) == {"m": 4, "f": 4}


def test_a_class_that_too_few_speak_is_told_once_and_not_forced(caplog: pytest.LogCaptureFixture) -> None:
    warn_once.cache_clear()
    clips = spoken(*["a b"] * 8, "a c", "a c")
    with caplog.at_level(logging.WARNING):
        tests = [KFold(5, fold).parts(clips).test for fold in range(5)]
    (record,) = caplog.records
    assert "fewer actors speak than there are folds, 5: some folds test without c (2)" in record.getMessage()
    assert sum("c" in labels_of(test) for test in tests) == 2


@pytest.mark.parametrize(("val_actors", "count"), [(None, 120), (0.25, 200), (7, 7), (0.0001, 1)])
def test_validation_actors_are_a_number_or_a_share(val_actors: float | None, count: int) -> None:
    clips = spoken(*(TASKS["emotion"][speaker % 4] for speaker in range(1000)))
    parts = KFold(5, 0, val_actors).parts(clips)
    assert (len(parts.val), len(parts.test), len(parts.train)) == (count, 200, 800 - count)


def test_a_published_fold_takes_a_share_too() -> None:
    assert len(Folds("lj5", 0, val_actors=0.5).actors(ravdess(range(1, 25)))["val"]) == 10


def test_a_share_of_a_thousand_speakers_has_each_class() -> None:
    clips = spoken(*(["a"] * 960 + ["b"] * 40))
    random.Random(0).shuffle(clips)
    parts = KFold(5, 2, val_actors=3).parts(clips)
    assert labels_of(parts.val) == {"a", "b"}


def warned_of(parts: Parts, caplog: pytest.LogCaptureFixture) -> str:
    warn_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        check_classes(parts, TASKS)
    return caplog.text


def test_a_part_is_warned_of_once_however_often_a_run_lists_it(caplog: pytest.LogCaptureFixture) -> None:
    parts = Parts(spoken(*["happy sad angry neutral"] * 10), spoken(*["happy sad angry neutral"]), [])
    warned_of(parts, caplog)
    check_classes(parts, TASKS)
    (record,) = caplog.records
    assert record.getMessage().startswith("only 4 validation clips are labelled emotion")


def test_a_part_of_few_clips_or_without_a_class_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    clips = spoken(*["happy sad angry"] * 10)
    said = warned_of(Parts(clips, clips[:6], clips[:3]), caplog)
    assert "no training clip is labelled emotion: neutral" in said
    assert "only 6 validation clips are labelled emotion: its figures are rough; data.split" in said
    assert "only 3 test clips are labelled emotion" in said
    assert "training clips are labelled" not in said


def test_speakers_of_one_class_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    mixed, single = spoken(*["happy sad"] * 15), spoken(*["happy happy", "sad sad"] * 8)
    assert "knows the voice" not in warned_of(Parts(mixed, mixed, []), caplog)
    assert "16 of 16 training speakers of several clips speak one class of emotion only" in warned_of(
        Parts(single, mixed, []), caplog
    )


def test_an_actor_in_two_lists_is_refused_however_it_is_written() -> None:
    with pytest.raises(EmorecError, match="actor 1 in train and test"):
        ActorLists(test=["1.0"], val=[2], train=["01"]).parts(ravdess([1, 2]))


def test_splitting_takes_time_in_proportion_to_the_speakers() -> None:
    clips = spoken(*(TASKS["emotion"][speaker % 4] for speaker in range(30_000)))
    lists: dict[Part, list[int | str]] = {"test": [], "val": []}
    for row, clip in enumerate(clips):
        lists["test" if row % 3 else "val"].append(clip.actor)
    start = time.perf_counter()
    KFold(5, 0).parts(clips)
    ActorLists(**lists, train=[]).actors(clips)
    ActorLists(test=lists["test"], val=lists["val"][1:]).parts(clips)
    assert time.perf_counter() - start < 15.0  # a second; more than a minute where it grew with the square


def val_actors_of(given: str) -> object:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--split", type=Split)
    kfold = ["--split=KFold", "--split.folds=5", "--split.fold=0"]
    return parser.parse_args([*kfold, f"--split.val_actors={given}"]).split.init_args.val_actors


@pytest.mark.parametrize(("given", "parsed"), [("4", 4), ("1", 1), ("0.15", 0.15), ("null", None)])
def test_a_number_of_actors_and_a_share_are_told_apart_on_the_command_line(
    given: str, parsed: int | float | None
) -> None:
    found = val_actors_of(given)
    assert (found, isinstance(found, int)) == (parsed, isinstance(parsed, int))


@pytest.mark.parametrize("given", ["1.0", "4.0", "1.5", "0.0", "-0.5", "0"])
def test_a_share_of_all_or_none_is_refused_by_the_split_and_not_by_the_parser(given: str) -> None:
    parsed = val_actors_of(given)
    with pytest.raises(
        EmorecError, match=f"share of the actors between 0 and 1; found {given}; set data.split"
    ):
        KFold(5, 0, parsed)  # type: ignore[arg-type]
