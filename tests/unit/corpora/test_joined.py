from pathlib import Path

import pytest

from lightning_emorec.corpora import JoinedCorpora, NamedFiles, Synthetic
from lightning_emorec.errors import EmorecError
from lightning_emorec.splits import KFold, LeaveCorpusOut
from lightning_emorec.types import Clip

PATTERN = r"(?P<actor>\d+)_(?P<mood>\w+)\.wav"


def corpus(root: Path, moods: list[str], actors: int = 3, **more) -> NamedFiles:
    root.mkdir()
    for actor in range(1, actors + 1):
        for mood in moods:
            (root / f"{actor}_{mood}.wav").touch()
    return NamedFiles(str(root), PATTERN, {"mood": moods}, **more)


@pytest.fixture
def joined(tmp_path: Path) -> JoinedCorpora:
    return JoinedCorpora(
        {"b": corpus(tmp_path / "b", ["up", "down"]), "a": corpus(tmp_path / "a", ["odd", "up"])}
    )


def test_actors_and_ids_begin_with_their_corpus(joined):
    clips = joined.clips()
    assert [clip.id for clip in clips] == sorted({clip.id for clip in clips})
    assert len(clips) == 12
    assert {clip.actor for clip in clips} == {f"{name}/{actor}" for name in "ab" for actor in (1, 2, 3)}


def test_classes_are_those_of_the_first_corpus_and_then_what_others_add(joined):
    assert joined.tasks == {"mood": ["up", "down", "odd"]}


def test_a_task_of_one_corpus_leaves_clips_of_the_others_unlabelled(tmp_path):
    said = {"tasks": {"mood": ["up", "down"], "take": ["1", "2"]}, "groups": {"take": "actor"}}
    one = corpus(tmp_path / "one", ["up", "down"], actors=2)
    two = NamedFiles(str(tmp_path / "two"), PATTERN, **said)
    corpus(tmp_path / "two", ["up", "down"], actors=2)
    both = JoinedCorpora({"one": one, "two": two})
    assert list(both.tasks) == ["mood", "take"]
    assert {("take" in clip.labels, clip.actor[:3]) for clip in both.clips()} == {
        (False, "one"),
        (True, "two"),
    }


def test_joined_generated_voices_stay_synthetic(tmp_path):
    generated = Synthetic(str(tmp_path))
    assert JoinedCorpora({"one": generated, "two": generated}).synthetic


def test_a_recording_in_two_corpora_is_refused(tmp_path):
    one = corpus(tmp_path / "one", ["up", "down"])
    with pytest.raises(EmorecError, match=r"each recording in one corpus.*in x and y"):
        JoinedCorpora({"x": one, "y": one}).clips()


def test_what_cannot_be_joined_is_refused(tmp_path):
    one = corpus(tmp_path / "one", ["up", "down"])
    with pytest.raises(EmorecError, match="at least two"):
        JoinedCorpora({"x": one})
    with pytest.raises(EmorecError, match="without a slash"):
        JoinedCorpora({"x": one, "y/z": one})
    with pytest.raises(EmorecError, match="the task mood in each"):
        JoinedCorpora({"x": one, "y": Synthetic(str(tmp_path))})


def test_a_corpus_is_left_out_and_the_others_validate_by_speaker(joined):
    parts = LeaveCorpusOut("a", val_actors=1).parts(joined.clips())
    assert {clip.actor[0] for clip in parts.test} == {"a"}
    assert len(parts.test) == 6
    assert {clip.actor[0] for clip in (*parts.train, *parts.val)} == {"b"}
    assert len({clip.actor for clip in parts.val}) == 1


def test_validation_speakers_are_of_each_corpus_in_turn(tmp_path):
    of = {name: corpus(tmp_path / name, ["up", "down"], actors=4) for name in "abc"}
    parts = LeaveCorpusOut("c", val_actors=2).parts(JoinedCorpora(of).clips())
    assert {actor[0] for actor in parts.actors["val"]} == {"a", "b"}


def test_folds_take_actors_of_all_corpora(joined):
    tested = [KFold(3, fold, val_actors=1).parts(joined.clips()).actors["test"] for fold in range(3)]
    assert sorted(actor for fold in tested for actor in fold) == sorted(
        {clip.actor for clip in joined.clips()}
    )


@pytest.mark.parametrize("test", ["d", "1"])
def test_a_corpus_that_is_not_there_is_refused(joined, test):
    with pytest.raises(EmorecError, match=r"found b, a|found a, b"):
        LeaveCorpusOut(test).parts(joined.clips())


def test_clips_of_one_corpus_are_refused():
    with pytest.raises(EmorecError, match="clips of no JoinedCorpora"):
        LeaveCorpusOut("a").parts([Clip("1", "1", None), Clip("2", "2", None)])
