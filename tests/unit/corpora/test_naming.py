import re
from pathlib import Path

import pytest

from lightning_emorec.corpora.naming import RavdessName
from lightning_emorec.errors import EmorecError


def test_a_name_is_read_field_by_field():
    name = RavdessName.parse(Path("Actor_12/03-01-06-02-01-02-12.wav"))
    assert name == RavdessName("fearful", "strong", statement=1, repetition=2, actor=12)
    assert name.labels == {"emotion": "fearful", "intensity": "strong", "sex": "female"}


def test_odd_actors_are_men():
    assert RavdessName.parse(Path("03-01-01-01-01-01-07.flac")).sex == "male"


def test_a_name_is_written_as_it_was_read():
    stem = "03-01-08-01-02-01-24"
    assert RavdessName.parse(Path(f"{stem}.wav")).stem == stem


@pytest.mark.parametrize("stem", ["03-02-05-01-01-01-03", "01-01-05-01-01-01-03"])
def test_song_and_video_are_not_speech(stem):
    assert not RavdessName.parse(Path(f"{stem}.wav")).is_speech


@pytest.mark.parametrize(
    "stem",
    [
        "hello",
        "03-01-05-01-01-01",
        "03-01-09-01-01-01-03",
        "03-01-00-01-01-01-03",
        "03-01-05-01-03-01-03",
        "03-01-05-01-01-01-25",
        "03-01-05-01-01-01-03 (1)",
    ],
)
def test_a_malformed_name_is_refused_by_name(stem):
    with pytest.raises(EmorecError, match=r"03-02-08-02-02-02-24; found " + re.escape(stem)):
        RavdessName.parse(Path(f"{stem}.wav"))


def test_a_clip_in_another_actors_folder_is_refused():
    with pytest.raises(EmorecError, match=r"clips of actor 4 .* which names actor 5"):
        RavdessName.parse(Path("Actor_04/03-01-05-01-01-01-05.wav"))
