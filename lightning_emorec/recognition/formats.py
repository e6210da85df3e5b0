"""Writing segments as they are found."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TextIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from lightning_emorec.errors import EmorecError
from lightning_emorec.recognition.annotations import to_rttm, to_srt, to_textgrid, to_vtt
from lightning_emorec.recognition.rows import Tasks, to_csv_header, to_csv_row, to_dict
from lightning_emorec.recognition.segment import NO_SPEECH, Segment

_SUFFIXES = {
    "table": ".txt",
    "json": ".json",
    "jsonl": ".jsonl",
    "csv": ".csv",
    "srt": ".srt",
    "vtt": ".vtt",
    "textgrid": ".TextGrid",
    "rttm": ".rttm",
}
FORMATS = tuple(_SUFFIXES)
ONE_RECORDING = ("srt", "vtt", "textgrid")
"""Formats whose file belongs to one recording."""


def suffix_of(format: str) -> str:
    """Suffix of a file of a format, with its point; for a folder with one file a recording.

    Raises:
        EmorecError: There is no such format.
    """
    if format not in _SUFFIXES:
        raise EmorecError(
            f"one of the formats {', '.join(FORMATS)}", repr(format), "set --format to one of them"
        )
    return _SUFFIXES[format]


class Writer(ABC):
    """Writes segments in one format as they come; `close` before the stream is closed.

    Args:
        stream: Text in UTF-8, opened with `newline=""`.
        classes: Of the emotion, in the order of the model.
        branches: Whose probabilities the segments hold.
        tasks: Further task -> its classes.
        header: False goes on in a file that has its header, of `csv` and `table`.
    """

    def __init__(
        self, stream: TextIO, classes: Sequence[str], branches: Sequence[str], tasks: Tasks, header: bool
    ) -> None:
        self.stream, self.classes, self.branches, self.tasks = stream, classes, branches, tasks
        if header:
            self.begin()

    @staticmethod
    def open(
        format: str,
        stream: TextIO,
        classes: Sequence[str],
        branches: Sequence[str] = (),
        tasks: Tasks | None = None,
        header: bool = True,
    ) -> Writer:
        """A writer of one of `FORMATS`; the arguments are those of the class.

        Raises:
            EmorecError: There is no such format.
        """
        suffix_of(format)
        if format in _ANNOTATIONS:
            return _Annotations(format, stream)
        kinds: dict[str, type[Writer]] = {"table": _Table, "json": _Json, "jsonl": _JsonLines, "csv": _Csv}
        return kinds[format](stream, classes, branches, tasks or {}, header)

    def write(self, segments: Iterable[Segment]) -> None:
        """Write segments of one recording, in order of time; a recording may come in several calls."""
        self.stream.write("".join(self.text_of(segment) for segment in segments))
        self.stream.flush()

    def begin(self) -> None:  # noqa: B027 - most formats have no header
        """Write what comes before the first segment."""

    def close(self) -> None:  # noqa: B027 - nor an end
        """Write what comes after the last segment; the stream stays open."""

    @abstractmethod
    def text_of(self, segment: Segment) -> str:
        """A segment with its line's end."""


class _JsonLines(Writer):
    """One object a line, with the keys of `to_dict`."""

    def text_of(self, segment: Segment) -> str:
        return json.dumps(to_dict(segment), ensure_ascii=False) + "\n"


class _Json(Writer):
    """One list of the objects, written object by object."""

    _before = "[\n"

    def text_of(self, segment: Segment) -> str:
        before, self._before = self._before, ",\n"
        return before + json.dumps(to_dict(segment), ensure_ascii=False)

    def close(self) -> None:
        self.stream.write("[]\n" if self._before == "[\n" else "\n]\n")
        self.stream.flush()


class _Csv(Writer):
    """audformat's segmented table, as `lightning_emorec.recognition.rows` lays it out."""

    def begin(self) -> None:
        self.stream.write(to_csv_header(self.classes, self.branches, self.tasks))

    def text_of(self, segment: Segment) -> str:
        return to_csv_row(segment, self.classes, self.branches, self.tasks)


class _Table(Writer):
    """Lines of fixed widths for a terminal, at least 80 columns wide; a long name keeps its end."""

    def begin(self) -> None:
        console, widths = self._layout()
        titles = ["file", "start", "end", "emotion", "score", "or else"]
        console.print(Text(_cells(titles, widths), style="bold"), soft_wrap=True)

    def write(self, segments: Iterable[Segment]) -> None:
        console, widths = self._layout()
        for segment in segments:
            style = "dim" if segment.label == NO_SPEECH else ""
            console.print(Text(_cells(self._row(segment), widths), style=style), soft_wrap=True)
        self.stream.flush()

    def text_of(self, segment: Segment) -> str:
        return _cells(self._row(segment), self._layout()[1]) + "\n"

    def _layout(self) -> tuple[Console, list[int]]:
        """Where to print, and the widths of file, start, end, label, score and the other classes of the set."""
        console = Console(file=self.stream)
        label = max(cell_len(name) for name in [*self.classes, NO_SPEECH, "emotion"])
        width = max(console.width, 80) if console.is_terminal else 80
        rest = width - 5 - 10 - 10 - label - 5  # 5 blanks part 6 columns
        return console, [rest - max(rest // 3, 8), 10, 10, label, 5, max(rest // 3, 8)]

    def _row(self, segment: Segment) -> list[str]:
        name = f"{segment.file} {segment.speaker}".strip()
        score = "" if segment.score is None else f"{segment.score:.2f}"
        others = ", ".join(name for name in segment.set if name != segment.label)
        return [name, _short(segment.start), _short(segment.end), segment.label, score, others]


class _Annotations(Writer):
    """Formats whose neighbours with the same label become one: written when the recording is over."""

    def __init__(self, format: str, stream: TextIO) -> None:
        super().__init__(stream, (), (), {}, header=False)
        self._format = format
        self._held: list[Segment] = []
        self._empty = True

    def write(self, segments: Iterable[Segment]) -> None:
        for file, own in groupby(segments, key=lambda segment: segment.file):
            if self._held and self._held[0].file != file:
                if self._format in ONE_RECORDING:
                    found = f"{self._held[0].file} and {file}"
                    raise EmorecError(
                        f"one recording a file of {self._format}", found, "write into a folder with -o"
                    )
                self._flush()
            self._held += own

    def close(self) -> None:
        if self._held or self._empty:
            self._flush()

    def text_of(self, segment: Segment) -> str:
        return _ANNOTATIONS[self._format]([segment])

    def _flush(self) -> None:
        self.stream.write(_ANNOTATIONS[self._format](self._held))
        self.stream.flush()
        self._held, self._empty = [], False


_ANNOTATIONS: dict[str, Callable[[Sequence[Segment]], str]] = {
    "srt": to_srt,
    "vtt": to_vtt,
    "textgrid": to_textgrid,
    "rttm": to_rttm,
}


def _short(time_s: float) -> str:
    """`m:ss.s`, or `h:mm:ss.s`."""
    minutes, tenths = divmod(round(time_s * 10), 600)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}" if hours else str(minutes)
    return f"{clock}:{tenths // 10:02}.{tenths % 10}"


def _cells(cells: Sequence[str], widths: Sequence[int]) -> str:
    """One line; a name that is too long loses its begin, any other cell its end."""
    name, *others = [
        cell.rjust(10) if index in (1, 2) else " ".join(cell.split()) for index, cell in enumerate(cells)
    ]
    if cell_len(name) > widths[0]:
        while cell_len(name) >= widths[0]:
            name = name[1:]
        name = f"…{name}"
    fitted = [set_cell_size(name, widths[0])]
    for cell, width in zip(others, widths[1:], strict=True):
        fitted.append(
            set_cell_size(cell if cell_len(cell) <= width else set_cell_size(cell, width - 1) + "…", width)
        )
    return " ".join(fitted).rstrip()
