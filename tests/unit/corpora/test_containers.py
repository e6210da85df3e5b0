"""Corpora that need an optional package: Parquet files and audformat databases."""

import json
import sys
from pathlib import Path

import pytest

from lightning_emorec.corpora import AudformatDatabase, ParquetFiles
from lightning_emorec.errors import EmorecError, UnavailableError

TASKS = {"emotion": ["calm", "angry"], "sex": ["f", "m"]}


@pytest.fixture
def hugging_face(tmp_path: Path) -> Path:
    pyarrow = pytest.importorskip("pyarrow", reason="pip install pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pip install pyarrow")
    features = {
        "emotion": {"names": ["neutral", "angry"], "_type": "ClassLabel"},
        "audio": {"_type": "Audio"},
    }
    noted = {"huggingface": json.dumps({"info": {"features": features}})}
    for name, heads in {"train": [b"RIFF", b"fLaC"], "test": [b"OggS"]}.items():
        sounds = [{"bytes": head + b" sound", "path": None} for head in heads]
        columns = {
            "audio": sounds,
            "emotion": [0, 1][: len(sounds)],
            "speaker_id": [7, 8][: len(sounds)],
            "gender": ["f", None][: len(sounds)],
        }
        table = pyarrow.table(columns).replace_schema_metadata(noted)
        parquet.write_table(table, tmp_path / f"{name}-00000-of-00001.parquet")
    return tmp_path


def of_parquet(root: Path, **more) -> ParquetFiles:
    named = {"label_columns": {"sex": "gender"}, "labels": {"neutral": "calm"}, "parts": {"train": "train"}}
    return ParquetFiles(str(root), TASKS, **{**named, **more})


def test_recordings_of_parquet_files_are_written_once_and_labels_have_their_names(hugging_face):
    corpus = of_parquet(hugging_face)
    corpus.prepare()
    clips = corpus.clips()
    assert [(clip.actor, clip.labels, clip.part, clip.path.suffix) for clip in clips] == [
        ("7", {"emotion": "calm", "sex": "f"}, "test", ".ogg"),
        ("7", {"emotion": "calm", "sex": "f"}, "train", ".wav"),
        ("8", {"emotion": "angry"}, "train", ".flac"),
    ]
    assert clips[1].path.read_bytes() == b"RIFF sound"
    clips[1].path.write_bytes(b"kept")
    corpus.prepare()
    assert clips[1].path.read_bytes() == b"kept"


def test_recordings_that_were_not_written_are_told(hugging_face):
    with pytest.raises(EmorecError, match="call prepare"):
        of_parquet(hugging_face).clips()
    with pytest.raises(EmorecError, match="the column sound"):
        of_parquet(hugging_face, audio_column="sound").prepare()


def test_segments_and_speakers_of_an_audformat_database_are_read(tmp_path):
    audformat = pytest.importorskip("audformat", reason="pip install audformat")
    database = audformat.Database("made-up")
    speakers = {"03": {"gender": "m"}, "08": {"gender": "f"}}
    database.schemes["speaker"] = audformat.Scheme(labels=speakers)
    database.schemes["emotion"] = audformat.Scheme(labels=["neutral", "angry"])
    files = database["files"] = audformat.Table(audformat.filewise_index(["a.wav", "b.wav"]))
    files["speaker"] = audformat.Column(scheme_id="speaker")
    files["speaker"].set(["03", "08"])
    index = audformat.segmented_index(["a.wav", "a.wav", "b.wav"], ["0s", "1s", "0s"], ["1s", "2.5s", None])
    emotion = database["emotion"] = audformat.Table(index)
    emotion["emotion"] = audformat.Column(scheme_id="emotion")
    emotion["emotion"].set(["neutral", "angry", None])
    database.save(str(tmp_path))
    named = {"label_columns": {"sex": "speaker.gender"}, "labels": {"neutral": "calm"}}
    clips = AudformatDatabase(str(tmp_path), ["emotion", "files"], TASKS, **named).clips()
    assert [(clip.id, clip.actor, clip.labels, clip.start, clip.end) for clip in clips] == [
        ("a.wav#0-1", "03", {"emotion": "calm", "sex": "m"}, 0.0, 1.0),
        ("a.wav#1-2.5", "03", {"emotion": "angry", "sex": "m"}, 1.0, 2.5),
        ("b.wav", "08", {"sex": "f"}, None, None),
    ]
    assert clips[2].path == tmp_path / "b.wav"
    with pytest.raises(EmorecError, match="the table moods"):
        AudformatDatabase(str(tmp_path), ["moods"], TASKS).clips()


def test_a_package_that_is_absent_is_named(tmp_path, monkeypatch):
    (tmp_path / "one.parquet").touch()
    for package in ("audformat", "pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UnavailableError, match=r"package pyarrow.*pip install .*corpora"):
        ParquetFiles(str(tmp_path), TASKS).prepare()
    with pytest.raises(UnavailableError, match=r"package audformat.*pip install .*corpora"):
        AudformatDatabase(str(tmp_path), ["files"], TASKS).clips()
