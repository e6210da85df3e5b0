"""Tables that users write: CSV and JSON lines, read in one place, all their bad rows named at once.

Imports neither torch nor pandas: a verb can check its table before it pays for them.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import math
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import TextIO

from lightning_emorec.errors import EmorecError

STANDARD_INPUT = "-"

Row = dict[str, str]
Times = tuple[float | None, float | None]
"""Start and end in seconds; (None, None) is the whole recording, an end of None its end."""

_DELIMITERS = ",;\t"
_END = ["\0end of table"]  # parsed as a row of its own unless a quote is still open
_NAMED = 3  # rows, and findings, that a message names; the rest is counted


@dataclass(frozen=True)
class Table:
    """What a table holds, as text without blanks at its ends.

    Attributes:
        source: How messages name it: its path, or `standard input`.
        columns: Named columns, in order; for JSON lines those of any row.
        rows: (number, column -> value), numbered as a spreadsheet does: a header is row 1.
    """

    source: str
    columns: list[str]
    rows: list[tuple[int, Row]]

    def require(self, columns: Collection[str], fix: str) -> None:
        """Refuse a table without one of the columns.

        Raises:
            EmorecError: All that are missing, and what the table has in their place.
        """
        if missing := [column for column in columns if column not in self.columns]:
            named = ", ".join(column + did_you_mean(column, self.columns) for column in missing)
            found = f"the columns {', '.join(self.columns)} in {self.source}"
            raise EmorecError(f"the column {named}", found, fix)


class BadRows:
    """Collects what is wrong with the rows of a table, to name all of it in one line.

    Args:
        source: How the message names the table.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._found: dict[str, dict[str, list[int]]] = {}
        self._fixes: dict[str, None] = {}

    def add(self, number: int, expected: str, found: str, fix: str) -> None:
        """Note a row; `expected`, `found` and `fix` are an `EmorecError`'s, without the row."""
        self._found.setdefault(expected, {}).setdefault(found, []).append(number)
        self._fixes[fix] = None

    def refuse(self) -> None:
        """Go on if nothing was noted.

        Raises:
            EmorecError: The first few rows of each kind by number, and how many there are in all.
        """
        if not self._found:
            return
        listed = [_first(list(map(_at_rows, *zip(*of.items(), strict=True)))) for of in self._found.values()]
        bad = {number for of in self._found.values() for numbers in of.values() for number in numbers}
        where = f" of {self._source}" if len(bad) == 1 else f": {len(bad):,} bad rows in {self._source}"
        raise EmorecError(" and ".join(self._found), " and ".join(listed) + where, " and ".join(self._fixes))


def read_table(source: str | Path | TextIO, flag: str) -> Table:
    """Read a table in UTF-8, with or without a byte order mark.

    CSV is separated by commas, semicolons or tabs, as its header has it; lines that start with `{` are JSON, one
    object a line. A file's suffix decides where it is `.csv`, `.tsv` or `.jsonl`.

    Args:
        source: A path, `-` for standard input, or an open text stream.
        flag: What named the table on the command line, for messages.

    Raises:
        EmorecError: It cannot be opened, is not UTF-8, has no rows, a column twice, or rows that cannot be read.
    """
    name, text = _text_of(source, flag)
    suffix = Path(name).suffix.lower()
    json_lines = suffix == ".jsonl" or (suffix not in (".csv", ".tsv") and text.lstrip()[:1] == "{")
    bad = BadRows(name)
    rows = list(_json_rows(text, bad) if json_lines else _csv_rows(name, text, bad))
    bad.refuse()
    if not rows:
        raise EmorecError("at least one row", f"no rows in {name}", f"fill it, or set {flag}")
    columns = dict.fromkeys(column for _, row in (rows if json_lines else rows[:1]) for column in row)
    return Table(name, list(columns), rows)


def times_of(table: Table, start: str = "start", end: str = "end") -> list[Times]:
    """The times of each row, where the table has such columns: which part of a recording it means.

    Args:
        table: Times are in seconds; without a start a segment begins at 0.
        start: Column of the start.
        end: Column of the end.

    Raises:
        EmorecError: Rows whose times are no finite numbers with 0 <= start < end.
    """
    bad = BadRows(table.source)
    times = [times_in(row, number, bad, start, end) for number, row in table.rows]
    bad.refuse()
    return times


def times_in(row: Row, number: int, bad: BadRows, start: str = "start", end: str = "end") -> Times:
    """The times of one row, as `times_of` reads them; what is wrong with them is added to `bad`."""
    given = row.get(start, ""), row.get(end, "")
    if not any(given):
        return None, None
    with suppress(ValueError):
        from_s, to_s = float(given[0] or 0), float(given[1]) if given[1] else None
        if 0 <= from_s < (math.inf if to_s is None else to_s) and to_s != math.inf:
            return from_s, to_s
    expected = f"0 <= {start} < {end}, in seconds such as 83.5"
    bad.add(number, expected, f"{_short(given[0])} to {_short(given[1])}", "mend the times")
    return None, None


def segment_id(path: str, times: Times) -> str:
    """`long.wav#0.5-2` for a segment, `long.wav#5-` for one to the end, and the path for a whole recording."""
    if times == (None, None):
        return path
    return f"{path}#" + "-".join("" if at is None else f"{at:.12g}" for at in times)


def did_you_mean(name: str, known: Collection[str]) -> str:
    """` (did you mean happy?)` for `Hapy`, or nothing where no known name is like it."""
    folded = {one.casefold(): one for one in known}
    close = get_close_matches(name.casefold(), folded, n=1)
    return f" (did you mean {folded[close[0]]}?)" if close else ""


def _text_of(source: str | Path | TextIO, flag: str) -> tuple[str, str]:
    """How messages name a source, and its text."""
    if not isinstance(source, str | Path):
        return getattr(source, "name", "the table"), source.read()
    if str(source) == STANDARD_INPUT:
        name, content = "standard input", sys.stdin.buffer.read()
    else:
        path = Path(source).expanduser()
        name = str(path)
        try:
            content = path.read_bytes()
        except OSError as error:
            found = f"no file {path}" if isinstance(error, FileNotFoundError) else f"{path}: {error.strerror}"
            raise EmorecError("a table that can be read", found, f"set {flag}") from error
    return name, _decoded(name, content)


def _decoded(name: str, content: bytes) -> str:
    found = ""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:4]:
        found = "UTF-16"
    elif content.startswith((b"PK\3\4", b"\xd0\xcf\x11\xe0")):
        found = "a spreadsheet's own format"
    else:
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            row = content.count(b"\n", 0, error.start) + 1
            found = f"the byte 0x{content[error.start]:02x} in line {row}"
    raise EmorecError("a table in UTF-8", f"{found} of {name}", "save it as CSV UTF-8")


def _csv_rows(name: str, text: str, bad: BadRows) -> Iterator[tuple[int, Row]]:
    """Yield (row number, column -> value); empty lines are passed over, but counted."""
    first = next((line for line in io.StringIO(text, newline=None) if line.strip()), "")
    delimiter = max(_DELIMITERS, key=lambda one: len(next(csv.reader([first], delimiter=one), [])))
    header: list[str] | None = None
    number = 0
    reader = csv.reader(chain(io.StringIO(text.rstrip("\r\n") + "\n", newline=""), _END), delimiter=delimiter)
    try:
        for number, raw in enumerate(reader, start=1):
            if raw == _END:
                return
            values = [value.strip() for value in raw]
            if not any(values):
                continue
            if header is None:
                header = values
                _check_header(name, header)
                continue
            while len(values) > len(header) and not values[-1]:
                values.pop()
            if len(values) == len(header):
                yield number, {key: value for key, value in zip(header, values, strict=True) if key}
            else:
                bad.add(number, f"{len(header)} values, as in the header", str(len(values)), "mend the row")
    except csv.Error as error:
        number += 1
        bad.add(number, "a row of CSV", str(error), "mend the row")
        return
    bad.add(number, "each quote to be closed", "one that is not", 'write a quote within quotes as ""')


def _check_header(name: str, header: Sequence[str]) -> None:
    if repeated := sorted({column for column in header if column and header.count(column) > 1}):
        raise EmorecError("each column once", f"{', '.join(repeated)} twice in {name}", "rename one")


def _json_rows(text: str, bad: BadRows) -> Iterator[tuple[int, Row]]:
    """Yield (row number, key -> value as text); null is empty, and empty lines are passed over, but counted."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            bad.add(number, "a JSON object a line", str(error), "mend the row")
            continue
        if isinstance(row, Mapping):
            yield number, {key: "" if value is None else str(value).strip() for key, value in row.items()}
        else:
            bad.add(number, "a JSON object a line", _short(line.strip()), "mend the row")


def _at_rows(found: str, numbers: Sequence[int]) -> str:
    """`'sad' in rows 3, 7, 9 and 40 more`."""
    return f"{found} in row{'s' * (len(numbers) > 1)} {_first(list(map(str, numbers)))}"


def _first(texts: Sequence[str]) -> str:
    rest = len(texts) - _NAMED
    return ", ".join(texts[:_NAMED]) + (f" and {rest:,} more" if rest > 0 else "")


def _short(text: str) -> str:
    """A value as a message shows it."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
