from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lightning_emorec.errors import EmorecError
from lightning_emorec.recognition.formats import FORMATS, Writer, suffix_of
from lightning_emorec.recognition.rows import read_segments
from lightning_emorec.recognition.segment import NO_SPEECH, Segment

CLASSES = ["angry", "happy, or glad"]
BRANCHES = ["audio", "text"]
TASKS = {"gender": ["female", "male"]}

SILENCE = Segment("my talk.wav", 0.0, 1.25, NO_SPEECH, model="m", version="1.0")
SPEECH = Segment(
    "my talk.wav",
    1.25,
    93661.5,
    "angry",
    score=0.75,
    probabilities={"angry": 0.75, "happy, or glad": 0.25},
    set=["angry", "happy, or glad"],
    certain=False,
    speaker="left",
    text='He said "no",\nthen left',
    model="m",
    version="1.0",
    branches={"audio": {"angry": 0.5, "happy, or glad": 0.5}},
    tasks={"gender": {"female": 0.125, "male": 0.875}},
    notes=["not calibrated", "synthetic voices"],
)


def written(format: str, *segments: Segment, calls: int = 1) -> str:
    stream = io.StringIO(newline="")
    writer = Writer.open(format, stream, CLASSES, BRANCHES, TASKS)
    if calls == 1:
        writer.write(segments)
    else:
        for segment in segments:
            writer.write([segment])
    writer.close()
    return stream.getvalue()


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_what_is_written_is_read_back(tmp_path: Path, format: str) -> None:
    path = tmp_path / "found"
    path.write_text(written(format, SILENCE, SPEECH), encoding="utf8", newline="")
    assert read_segments(path, format) == [SILENCE, SPEECH]


@pytest.mark.parametrize("format", ["jsonl", "csv"])
@pytest.mark.parametrize("cut", [1, 10, 60, 200])
def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path, format: str, cut: int) -> None:
    path = tmp_path / "found"
    path.write_text(written(format, SILENCE, SPEECH)[:-cut], encoding="utf8", newline="")
    assert read_segments(path, format) == [SILENCE]


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_a_file_of_something_else_is_no_results(tmp_path: Path, format: str) -> None:
    path = tmp_path / "other"
    path.write_text('{"a": 1}\n[]\n')
    with pytest.raises(EmorecError, match=f"expected results in {format}; found {path}"):
        read_segments(path, format)
    with pytest.raises(EmorecError, match="expected jsonl or csv"):
        read_segments(path, "srt")


def test_an_empty_file_of_results_has_none(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert read_segments(path, "csv") == read_segments(path, "jsonl") == []


def test_audformat_reads_the_csv(tmp_path: Path) -> None:
    audformat = pytest.importorskip("audformat")
    path = tmp_path / "found.csv"
    path.write_text(written("csv", SILENCE, SPEECH), encoding="utf8", newline="")
    table = audformat.utils.read_csv(path)
    assert audformat.is_segmented_index(table.index)
    assert [end.total_seconds() for end in table.index.get_level_values("end")] == [1.25, 93661.5]
    assert list(table["label"]) == [NO_SPEECH, "angry"]


def test_csv_has_the_columns_of_classes_branches_and_tasks() -> None:
    header, row = written("csv", SILENCE).splitlines()
    assert header == (
        'file,start,end,label,score,set,certain,speaker,text,angry,"happy, or glad",model,version,notes,'
        'branch/audio/angry,"branch/audio/happy, or glad",branch/text/angry,"branch/text/happy, or glad",'
        "task/gender/female,task/gender/male"
    )
    assert row == "my talk.wav,0 days 00:00:00.000000,0 days 00:00:01.250000,no speech,,,,,,,,m,1.0,,,,,,,"


def test_csv_goes_on_without_a_second_header() -> None:
    stream = io.StringIO(newline="")
    Writer.open("csv", stream, CLASSES, header=False).write([SILENCE])
    assert stream.getvalue().startswith("my talk.wav,")


@pytest.mark.parametrize("segments", [(), (SILENCE,), (SILENCE, SPEECH)])
def test_json_is_one_list_in_whatever_steps_it_is_written(segments: tuple[Segment, ...]) -> None:
    lines = written("jsonl", *segments).splitlines()
    assert json.loads(written("json", *segments)) == [json.loads(line) for line in lines]
    assert written("json", *segments) == written("json", *segments, calls=len(segments))


def test_json_rounds_numbers_and_has_null_for_what_is_not_finite() -> None:
    segment = replace(SPEECH, score=float("nan"), start=1 / 3)
    found = json.loads(written("jsonl", segment))
    assert (found["score"], found["start"], found["probabilities"]["angry"]) == (None, 0.333333, 0.75)
    assert list(found) == list(json.loads(written("jsonl", SILENCE)))


def test_the_table_fits_80_columns_and_keeps_the_end_of_names() -> None:
    segments = [SILENCE, SPEECH, replace(SPEECH, file="/a/very/long/path/of/録音/interview_number_7.wav")]
    lines = written("table", *segments).splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["file", "start", "end", "emotion", "score", "or", "else"]
    assert "0:00.0     0:01.2 no speech" in lines[1]
    assert "26:01:01.5 angry" in lines[2]
    assert lines[2].endswith("0.75  happy, or g…")
    assert lines[3].startswith("…")
    assert "number_7.wav left" in lines[3]


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_writes_a_recording_without_segments(format: str) -> None:
    assert isinstance(written(format), str)
    assert suffix_of(format).lstrip(".").lower() == {"table": "txt"}.get(format, format)


@pytest.mark.parametrize("format", ["srt", "vtt", "textgrid"])
def test_a_second_recording_needs_a_second_file(format: str) -> None:
    with pytest.raises(EmorecError, match=f"one recording a file of {format}"):
        written(format, SPEECH, replace(SPEECH, file="b.wav"))


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(EmorecError, match=r"expected one of the formats table, json, .*; found 'xml'"):
        Writer.open("xml", io.StringIO(), CLASSES)


def test_importing_the_formats_brings_no_heavy_module() -> None:
    modules = "import lightning_emorec.recognition.formats, lightning_emorec.recognition.summary, sys"
    code = f"{modules}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"torch", "pandas", "scipy", "sklearn"}.isdisjoint(result.stdout.split())
