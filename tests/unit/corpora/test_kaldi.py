from pathlib import Path

import pytest

from lightning_emorec.corpora import KaldiFolder
from lightning_emorec.errors import EmorecError

TASKS = {"emotion": ["calm", "angry"], "sex": ["f", "m"]}
FILES = {
    "wav.scp": "rec1 /sound/rec1.wav\nrec2 sound/rec 2.flac",
    "segments": "ann-1 rec1 0.5 2\nann-2 rec1 2 -1\nbo-1 rec2 0 1.25",
    "utt2spk": "ann-1 ann\nann-2 ann\nbo-1 bo",
    "text": "ann-1 hello there\nann-2",
    "utt2emotion": "ann-1 calm\nbo-1 angry",
    "spk2gender": "ann f\nbo m",
}


def folder(root: Path, **changed: str) -> str:
    for name, content in {**FILES, **changed}.items():
        if content:
            (root / name).write_text(content)
    return str(root)


def read(folder: str, **more):
    return KaldiFolder([folder], TASKS, {"sex": "spk2gender"}, **more).clips()


def test_files_of_a_folder_are_joined(tmp_path):
    clips = read(folder(tmp_path), parts={str(tmp_path): "val"}, root="/data")
    assert [(clip.id, clip.actor, clip.labels, clip.text or "", clip.start, clip.end) for clip in clips] == [
        ("ann-1", "ann", {"emotion": "calm", "sex": "f"}, "hello there", 0.5, 2.0),
        ("ann-2", "ann", {"sex": "f"}, "", 2.0, None),
        ("bo-1", "bo", {"emotion": "angry", "sex": "m"}, "", 0.0, 1.25),
    ]
    assert [clip.path for clip in clips][1:] == [Path("/sound/rec1.wav"), Path("/data/sound/rec 2.flac")]
    assert {clip.part for clip in clips} == {"val"}


def test_without_segments_an_utterance_is_a_recording(tmp_path):
    of = folder(tmp_path, segments="", text="", **{"wav.scp": "ann-1 a.wav\nann-2 b.wav\nbo-1 c.wav"})
    assert [(str(clip.path), clip.start) for clip in read(of)] == [
        ("a.wav", None),
        ("b.wav", None),
        ("c.wav", None),
    ]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"wav.scp": "rec1 sox a.mp3 -t wav - |\nrec2 b.wav"}, "a file for each recording.*sox"),
        ({"wav.scp": "rec1 a.wav"}, "none for rec2"),
        ({"utt2spk": "ann-1"}, "a key and a value.*line 1"),
        ({"utt2emotion": ""}, "the file .*utt2emotion"),
        ({"utt2emotion": "ann-1 merry"}, "'merry'"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, changed, said):
    with pytest.raises(EmorecError, match=said):
        read(folder(tmp_path, **changed))
