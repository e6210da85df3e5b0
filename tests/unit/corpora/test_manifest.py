import codecs
import json
from pathlib import Path

import pytest

from lightning_emorec.corpora import ManifestCorpus
from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Clip

TASKS = {"emotion": ["calm", "angry"]}
HEADER = "path,actor,emotion"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.wav", "b.wav", "sub/a.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def manifest(folder: Path, *lines: str, name: str = "clips.csv") -> str:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def read(folder: Path, *lines: str, **options) -> list[Clip]:
    return ManifestCorpus(manifest(folder, *lines), **{"tasks": TASKS, **options}).clips()


def test_a_row_is_a_clip(folder):
    assert read(folder, HEADER, "a.wav,Ann,angry") == [
        Clip("a.wav", "Ann", folder / "a.wav", {"emotion": "angry"}, None, None)
    ]


def test_clips_are_sorted_by_id(folder):
    clips = read(folder, HEADER, "sub/a.wav,Ann,calm", "b.wav,Bo,calm", "a.wav,Ann,calm")
    assert [clip.id for clip in clips] == ["a.wav", "b.wav", "sub/a.wav"]


def test_every_column_can_have_another_name(folder):
    (clip,) = read(
        folder,
        "key,file,who,feeling,said,set",
        "one,a.wav,Ann,calm,Hello,val",
        clip_column="file",
        actor_column="who",
        label_columns={"emotion": "feeling"},
        text_column="said",
        id_column="key",
        part_column="set",
    )
    assert clip == Clip("one", "Ann", folder / "a.wav", {"emotion": "calm"}, "Hello", "val")


def test_an_empty_label_is_unlabelled_and_an_empty_part_is_none(folder):
    tasks = {"emotion": ["calm", "angry"], "sex": ["m", "f"]}
    (clip,) = read(folder, f"{HEADER},sex,part", "a.wav,Ann,,f,", tasks=tasks, part_column="part")
    assert clip.labels == {"sex": "f"}
    assert clip.part is None


def test_audio_can_lie_under_another_root(folder):
    (clip,) = read(folder, HEADER, "a.wav,Ann,calm", root=str(folder / "sub"))
    assert clip.path == folder / "sub/a.wav"


def test_json_lines_may_hold_numbers_nulls_and_leave_keys_out(folder):
    rows = [
        {"path": "a.wav", "actor": 7, "emotion": "calm", "text": None},
        {"path": "b.wav", "actor": "8", "text": "Hé"},
    ]
    path = manifest(folder, *(json.dumps(row) for row in rows), "", name="clips.jsonl")
    first, second = ManifestCorpus(path, TASKS, text_column="text").clips()
    assert (first.actor, first.labels, first.text) == ("7", {"emotion": "calm"}, "")
    assert (second.actor, second.labels, second.text) == ("8", {}, "Hé")


def test_a_byte_order_mark_and_spaces_do_no_harm(folder):
    path = folder / "clips.csv"
    path.write_bytes(codecs.BOM_UTF8 + b"path, actor,emotion\r\n a.wav,Ann ,calm\r\n\r\n")
    (clip,) = ManifestCorpus(str(path), TASKS).clips()
    assert (clip.id, clip.actor) == ("a.wav", "Ann")


def test_tasks_cannot_be_changed_from_outside(folder):
    corpus = ManifestCorpus("clips.csv", TASKS)
    corpus.tasks["emotion"].append("happy")
    assert corpus.tasks == {"emotion": ["calm", "angry"]}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["path,speaker", "a.wav,Ann"], r"the column actor, emotion; found the columns path, speaker in"),
        ([HEADER, "a.wav,Ann,calm", "b.wav,Bo,sad"], r"emotion to be .* calm, angry.*'sad' in row 3"),
        ([HEADER, "a.wav,,calm"], r"a speaker in the column actor; found none in row 2"),
        ([HEADER, "a.wav,Ann,calm", "", "a.wav,Bo,calm"], r"'a\.wav' in rows 2 and 4"),
        ([HEADER, "a.wav,Ann"], r"3 values, as in the header; found 2 in row 2"),
        (["path,actor,emotion,actor", "a.wav,Ann,calm,Bo"], r"each column once; found actor twice"),
        ([HEADER], r"at least one row; found no rows"),
    ],
)
def test_a_bad_csv_is_refused_with_its_row(folder, lines, message):
    with pytest.raises(EmorecError, match=message) as caught:
        read(folder, *lines)
    assert "\n" not in str(caught.value)


def test_an_unknown_part_is_refused(folder):
    with pytest.raises(EmorecError, match=r"part to be one of train, val, test.*'dev' in row 2"):
        read(folder, f"{HEADER},part", "a.wav,Ann,calm,dev", part_column="part")


@pytest.mark.parametrize("line", ["{broken", "[1, 2]"])
def test_a_line_that_is_no_json_object_is_refused(folder, line):
    path = manifest(folder, '{"path": "a.wav", "actor": "Ann", "emotion": "calm"}', line, name="clips.jsonl")
    with pytest.raises(EmorecError, match=r"a JSON object a line; .* in row 2"):
        ManifestCorpus(path, TASKS).clips()


def test_another_encoding_is_refused(folder):
    (folder / "clips.csv").write_bytes("path,actor,emotion\na.wav,Zoë,calm\n".encode("latin-1"))
    with pytest.raises(EmorecError, match="a table in UTF-8"):
        ManifestCorpus(str(folder / "clips.csv"), TASKS).clips()


def test_an_absent_manifest_is_refused(tmp_path):
    with pytest.raises(EmorecError, match=r"no file .*gone\.csv; set --data\.corpus\.path"):
        ManifestCorpus(str(tmp_path / "gone.csv"), TASKS).clips()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "clips.xlsx"}, r"\.csv, \.tsv or \.jsonl; found clips\.xlsx"),
        ({"tasks": {}}, "at least one task"),
        ({"tasks": {"emotion": ["calm"]}}, "two or more different classes of emotion"),
        ({"tasks": {"emotion": ["calm", "calm"]}}, "two or more different classes of emotion"),
        ({"label_columns": {"mood": "m"}}, "label_columns for emotion; found mood"),
    ],
)
def test_bad_arguments_are_refused_by_the_constructor(options, message):
    with pytest.raises(EmorecError, match=message):
        ManifestCorpus(**{"path": "clips.csv", "tasks": TASKS, **options})


def test_parts_may_have_other_names_and_null_leaves_a_part_out(folder):
    header = "path,actor,emotion,set"
    rows = ["a.wav,Ann,calm,Train", "b.wav,Bo,angry,Development", "sub/a.wav,Cy,calm,Test2"]
    parts = {"Train": "train", "Development": "val", "Test2": None}
    clips = read(folder, header, *rows, part_column="set", parts=parts)
    assert [(clip.id, clip.part) for clip in clips] == [("a.wav", "train"), ("b.wav", "val")]
    with pytest.raises(EmorecError, match=r"'Test1' .*in row 2"):
        read(folder, header, "a.wav,Ann,calm,Test1", part_column="set", parts=parts)
