"""Segments as subtitles, as a TextGrid and as RTTM: one recording's whole text at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from html import escape
from itertools import groupby
from pathlib import PurePath

from lightning_emorec.recognition.segment import NO_SPEECH, Segment

_TOUCH_S = 1e-6
"""Neighbours closer than this touch: times are exact to the sample, not to the last bit of a float."""


def merged(segments: Iterable[Segment]) -> list[Segment]:
    """Join neighbours of one speaker that touch and have the same label.

    Returns:
        In order of their begin. The score is the mean weighted by duration, and the text that of `text_of`; all else
        is that of the first part.
    """
    runs: list[list[Segment]] = []
    last: dict[str, list[Segment]] = {}
    for segment in sorted(segments, key=lambda segment: segment.start):
        run = last.get(segment.speaker)
        if run and run[-1].label == segment.label and segment.start - run[-1].end < _TOUCH_S:
            run.append(segment)
        else:
            last[segment.speaker] = [segment]
            runs.append(last[segment.speaker])
    return [run[0] if len(run) == 1 else _joined(run) for run in runs]


def _joined(run: Sequence[Segment]) -> Segment:
    pairs = [(segment.score, segment.duration) for segment in run if segment.score is not None]
    total = sum(duration for _, duration in pairs)
    score = sum(score * duration for score, duration in pairs) / total if total else run[0].score
    return replace(run[0], end=run[-1].end, score=score, text=text_of(run))


def text_of(segments: Iterable[Segment]) -> str | None:
    """What is said in segments that follow each other; neighbours that share a text say it once."""
    texts = [text for text, _ in groupby(segment.text for segment in segments) if text is not None]
    return " ".join(text for text in texts if text) if texts else None


def to_srt(segments: Sequence[Segment]) -> str:
    """SubRip: numbered cues; label and score in the first line, what is said in the second."""
    cues = []
    for number, segment in enumerate(_speech(segments), start=1):
        lines = [f"{segment.speaker}: {_judged(segment)}" if segment.speaker else _judged(segment)]
        lines += [segment.text] if segment.text else []
        text = "\n".join(_one_line(line).replace("-->", "->") for line in lines)
        span = f"{_clock(segment.start, ',')} --> {_clock(segment.end, ',')}"
        cues.append(f"{number}\n{span}\n{text}\n")
    return "\n".join(cues)


def to_vtt(segments: Sequence[Segment]) -> str:
    """WebVTT (W3C): as SubRip, the speaker as a voice span, and `&`, `<` and `>` (so `-->` too) escaped."""
    cues = ["WEBVTT\n"]
    for segment in _speech(segments):
        lines = [_judged(segment), *([segment.text] if segment.text else [])]
        text = "\n".join(escape(_one_line(line), quote=False) for line in lines)
        voice = f"<v {escape(_one_line(segment.speaker), quote=False)}>" if segment.speaker else ""
        cues.append(f"{_clock(segment.start, '.')} --> {_clock(segment.end, '.')}\n{voice}{text}\n")
    return "\n".join(cues)


def to_textgrid(segments: Sequence[Segment]) -> str:
    """Praat's long text format: a tier of labels for each speaker, named `emotion` where there is no speaker.

    The intervals of a tier tile 0 to the end of the last segment; where nobody speaks they are empty.
    """
    end = max((segment.end for segment in segments), default=0.0)
    speakers = list(dict.fromkeys(segment.speaker for segment in segments)) or [""]
    head = f'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = {_seconds(end)}\n'
    lines = [head + f"tiers? <exists>\nsize = {len(speakers)}\nitem []:"]
    for number, speaker in enumerate(speakers, start=1):
        own = [segment for segment in segments if segment.speaker == speaker]
        intervals = _tiled(merged(own), end)
        lines.append(f"    item [{number}]:")
        lines += [f'        class = "IntervalTier"\n        name = "{_doubled(speaker or "emotion")}"']
        lines += [
            f"        xmin = 0\n        xmax = {_seconds(end)}\n        intervals: size = {len(intervals)}"
        ]
        for index, (start, stop, label) in enumerate(intervals, start=1):
            lines.append(f"        intervals [{index}]:\n            xmin = {_seconds(start)}")
            lines.append(f'            xmax = {_seconds(stop)}\n            text = "{_doubled(label)}"')
    return "\n".join(lines) + "\n"


def to_rttm(segments: Sequence[Segment]) -> str:
    """NIST's Rich Transcription Time Marked, as pyannote.database reads it: blanks part the fields.

    `SPEAKER file channel begin duration <NA> <NA> label score <NA>`: the label stands where diarisation has the
    speaker, so that its tools measure emotion in time; the channel is the number of the speaker, in order of
    appearance; the file is the recording's path without its suffix. Blanks in names become `_`.
    """
    channels = {
        speaker: number for number, speaker in enumerate(dict.fromkeys(s.speaker for s in segments), start=1)
    }
    lines = []
    for segment in _speech(segments):
        name = re.sub(r"\s", "_", str(PurePath(segment.file).with_suffix("")))
        score = "<NA>" if segment.score is None else f"{segment.score:.6f}"
        span = f"{_seconds(segment.start)} {_seconds(segment.end - segment.start)}"
        label = re.sub(r"\s", "_", segment.label)
        lines.append(f"SPEAKER {name} {channels[segment.speaker]} {span} <NA> <NA> {label} {score} <NA>\n")
    return "".join(lines)


def _speech(segments: Sequence[Segment]) -> list[Segment]:
    return [segment for segment in merged(segments) if segment.label != NO_SPEECH]


def _tiled(segments: Sequence[Segment], end: float) -> list[tuple[float, float, str]]:
    """Begin, end and text of intervals without gaps from 0 to `end`."""
    found: list[tuple[float, float, str]] = []
    reached = 0.0
    for segment in segments:
        if segment.start - reached > _TOUCH_S:
            found.append((reached, segment.start, ""))
            reached = segment.start
        found.append((reached, segment.end, "" if segment.label == NO_SPEECH else segment.label))
        reached = segment.end
    return found if reached >= end else [*found, (reached, end, "")]


def _judged(segment: Segment) -> str:
    return segment.label if segment.score is None else f"{segment.label} {segment.score:.0%}"


def _clock(time_s: float, point: str) -> str:
    """`hh:mm:ss.mmm`, with as many digits of hours as it takes."""
    seconds, milliseconds = divmod(round(time_s * 1000), 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{milliseconds:03}"


def _seconds(time_s: float) -> str:
    """At most 6 digits after the point, and no needless ones."""
    return f"{time_s:.6f}".rstrip("0").rstrip(".")


def _one_line(text: str) -> str:
    """Text without line breaks, for an empty line ends a cue."""
    return " ".join(text.split())


def _doubled(text: str) -> str:
    return _one_line(text).replace('"', '""')
