"""The reader of RAVDESS on real clips: 20 of the 24 actors as FLAC, and some files as published."""

from collections import Counter

import pytest

from lightning_emorec.corpora import Ravdess


@pytest.fixture(scope="module")
def clips(shared):
    return Ravdess(str(shared / "data" / "ravdess16k"), download=False).clips()


def test_all_clips_of_twenty_actors_are_listed(clips):
    per_actor = Counter(clip.actor for clip in clips)
    assert per_actor == {str(actor): 60 for actor in range(1, 25) if actor not in (1, 9, 17, 19)}


def test_classes_are_as_published(clips):
    emotions = Counter(clip.labels["emotion"] for clip in clips)
    assert emotions["neutral"] == 80
    assert {count for emotion, count in emotions.items() if emotion != "neutral"} == {160}
    assert Counter(clip.labels["intensity"] for clip in clips) == {"normal": 640, "strong": 560}
    assert Counter(clip.labels["sex"] for clip in clips) == {"male": 480, "female": 720}


def test_both_statements_are_said_equally_often(clips):
    assert set(Counter(clip.text for clip in clips).values()) == {600}


def test_the_published_wav_files_are_read_too(shared):
    published = Ravdess(str(shared / "data" / "ravdess_original_48k"), download=False).clips()
    assert len(published) == 11
    assert {clip.path.suffix for clip in published} == {".wav"}
