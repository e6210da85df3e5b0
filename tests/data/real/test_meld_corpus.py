from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from lightning_emorec.corpora import Meld


@pytest.fixture(scope="module")
def meld(shared: Path) -> Meld:
    return Meld(str(shared / "data" / "meld"))


def test_the_parts_are_as_large_as_published(meld: Meld) -> None:
    assert Counter(clip.part for clip in meld.clips()) == {"train": 9989, "val": 1109, "test": 2610}


def test_emotions_are_as_frequent_as_published(meld: Meld) -> None:
    found = Counter(clip.labels["emotion"] for clip in meld.clips() if clip.part == "test")
    assert found == {
        "neutral": 1256,
        "joy": 402,
        "anger": 345,
        "surprise": 281,
        "sadness": 208,
        "disgust": 68,
        "fear": 50,
    }


def test_no_text_has_control_characters(meld: Meld) -> None:
    assert all(clip.text and clip.text.isprintable() for clip in meld.clips())
