from __future__ import annotations

import codecs
import io
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_emorec.errors import EmorecError
from lightning_emorec.table import BadRows, Row, Table, did_you_mean, read_table, times_of

ROWS = [(2, {"path": "a.wav", "speaker": "Ann"}), (4, {"path": "b.wav", "speaker": ""})]


def read(tmp_path: Path, content: str | bytes, name: str = "clips.csv") -> Table:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(path, "--list")


def refused(tmp_path: Path, content: str | bytes, name: str = "clips.csv") -> str:
    with pytest.raises(EmorecError) as caught:
        read(tmp_path, content, name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["clips.csv", "clips.tsv", "clips"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends_of_any_program_are_read(
    tmp_path: Path, delimiter: str, name: str, newline: str
) -> None:
    lines = ["path,speaker", " a.wav ,Ann", "", "b.wav,"]
    table = read(tmp_path, newline.join(lines).replace(",", delimiter), name)
    assert (table.columns, table.rows) == (["path", "speaker"], ROWS)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    assert read(tmp_path, codecs.BOM_UTF8 + b"path\na.wav").columns == ["path"]


def test_json_lines_are_known_by_suffix_or_by_their_brace(tmp_path: Path) -> None:
    text = '{"path": "a.wav", "start": 1.5}\n\n{"path": "b.wav", "speaker": null}\n'
    for name in ("clips.jsonl", "clips"):
        table = read(tmp_path, text, name)
        assert table.columns == ["path", "start", "speaker"]
        assert table.rows == [(1, {"path": "a.wav", "start": "1.5"}), (3, {"path": "b.wav", "speaker": ""})]


def test_quoted_values_may_hold_separators_and_line_ends(tmp_path: Path) -> None:
    table = read(tmp_path, 'path,text\na.wav,"one, ""two""\nthree\u2028four"\nb.wav,five\n')
    assert table.rows[0] == (2, {"path": "a.wav", "text": 'one, "two"\nthree\u2028four'})
    assert table.rows[1][0] == 3


def test_empty_columns_behind_the_last_are_dropped(tmp_path: Path) -> None:
    table = read(tmp_path, "path,speaker,\na.wav,Ann,,,\n")
    assert table.columns == ["path", "speaker"]
    assert table.rows[0][1]["speaker"] == "Ann"


def test_standard_input_and_streams_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"path;speaker\na.wav;Ann\n")))
    assert read_table("-", "--list").rows == ROWS[:1]
    assert read_table(io.StringIO("path\tspeaker\na.wav\tAnn\n"), "--list").rows == ROWS[:1]


def test_all_bad_rows_are_told_at_once(tmp_path: Path) -> None:
    content = "a,b\n1\n1,2,3\n" + "1\n" * 5
    assert (
        "2 values, as in the header; found 1 in rows 2, 4, 5 and 3 more, 3 in row 3: 7 bad rows in"
        in refused(tmp_path, content)
    )
    message = refused(tmp_path, '{"a": 1}\n{broken\n[1, 2]\n', "clips.jsonl")
    assert "a JSON object a line; found" in message
    assert "'[1, 2]' in row 3: 2 bad rows" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,a,path\n1,2,3\n", "each column once; found path twice in"),
        ("path\n", "at least one row; found no rows in"),
        ("", "at least one row; found no rows in"),
        ("path\na.wav\n".encode("utf-16"), "a table in UTF-8; found UTF-16 of"),
        ("path\na.wav\n".encode("utf-16-le"), "a table in UTF-8; found UTF-16 of"),
        ("path\nZoë.wav\n".encode("latin-1"), "a table in UTF-8; found the byte 0xeb in line 2 of"),
        (b"PK\3\4 and more", "a table in UTF-8; found a spreadsheet's own format of"),
        (
            'path,text\na.wav,"never closed\nb.wav,two\n',
            "each quote to be closed; found one that is not in row 2",
        ),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    assert message in refused(tmp_path, content)


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match=r"no file .*gone\.csv; set --list"):
        read_table(tmp_path / "gone.csv", "--list")
    with pytest.raises(EmorecError, match=r"found .*irectory; set --list"):
        read_table(tmp_path, "--list")


def test_missing_columns_are_named_with_what_is_like_them() -> None:
    table = Table("t.csv", ["Path", "who"], ROWS)
    with pytest.raises(
        EmorecError, match=r"the column path \(did you mean Path\?\), end; found the columns Path, who"
    ):
        table.require(["path", "end"], "add it")


def times(*rows: Row) -> list[tuple[float | None, float | None]]:
    return times_of(Table("t.csv", ["start", "end"], list(enumerate(rows, start=2))))


def test_times_are_seconds_and_may_be_left_out() -> None:
    given = [{"start": "0", "end": "2"}, {"start": "1.5", "end": ""}, {"start": "", "end": "2"}, {}]
    assert times(*given) == [(0.0, 2.0), (1.5, None), (0.0, 2.0), (None, None)]


def test_times_that_cannot_be_are_told_at_once() -> None:
    wrong = [("2", "1"), ("1", "1"), ("-1", "2"), ("nan", "1"), ("0", "inf"), ("0:30", "1"), ("inf", "")]
    with pytest.raises(
        EmorecError, match=r"0 <= start < end, in seconds.*'2' to '1' in row 2.* and 4 more: 7 bad"
    ):
        times(*({"start": start, "end": end} for start, end in wrong))


def test_a_single_bad_row_is_told_without_a_count() -> None:
    bad = BadRows("t.csv")
    bad.refuse()
    bad.add(3, "a class", "'sad'", "mend it")
    with pytest.raises(EmorecError, match=r"expected a class; found 'sad' in row 3 of t\.csv; mend it"):
        bad.refuse()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Happy", " (did you mean happy?)"),
        ("hapy", " (did you mean happy?)"),
        ("sadness", " (did you mean sad?)"),
        ("x", ""),
    ],
)
def test_a_misspelt_name_gets_a_hint(name: str, hint: str) -> None:
    assert did_you_mean(name, ["happy", "sad"]) == hint


def test_reading_a_table_needs_no_heavy_import() -> None:
    code = "import lightning_emorec.table, sys; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"torch", "numpy", "pandas"}.isdisjoint(result.stdout.split())
