"""What was found in a recording, as HTML."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lightning_emorec.app.overview import Overview
from lightning_emorec.recognition.annotations import text_of
from lightning_emorec.recognition.segment import NO_SPEECH, Segment
from lightning_emorec.recognition.summary import summarise

COLOURS = 8
"""Colours of labels in `style.css`; further classes begin again."""

SHORT_ROW_S, MOST_ROWS = 60.0, 12
TICKS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
OPEN_TABLE = 30
"""Most rows of a table of segments that is shown without being asked for."""

_PAGES = Environment(
    loader=PackageLoader("lightning_emorec.app", "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Part:
    """Neighbouring segments with one label, all certain or none: begin and end in s, and the classes that it may be.

    `certain` is None where nothing is known of it.
    """

    start: float
    end: float
    label: str
    score: float | None
    certain: bool | None
    maybe: Sequence[str]
    text: str | None


def answer_html(
    segments: Sequence[Segment], overview: Overview, classes: Sequence[str], coverage: float
) -> str:
    """The answer to a recording.

    Args:
        segments: All of the recording.
        overview: Its looks.
        classes: Of the model, in its order.
        coverage: Of the prediction sets.
    """
    colours = {name: f"c{place % COLOURS}" for place, name in enumerate(classes)}
    parts = parts_of(segments)
    speech = [part for part in parts if part.label != NO_SPEECH]
    whole = summarise(segments)
    return _PAGES.get_template("answer.html.j2").render(
        name=segments[0].file,
        duration=clock(overview.duration, 1 if overview.duration < 10 else 0),
        whole=whole,
        is_long=len(segments) > 1,
        parts=parts,
        shares=shares_of(speech),
        certain_share=_share([part for part in speech if part.certain], speech),
        speech_time=clock(seconds := sum(part.end - part.start for part in speech), int(seconds < 60)),
        known=any(part.certain is not None for part in speech),
        shown=[name for name in classes if any(part.label == name for part in speech)],
        has_gaps=len(speech) < len(parts),
        has_doubts=any(part.certain is False for part in speech),
        colours=colours,
        rows=list(_rows(overview, parts)),
        groups={"model": whole.probabilities, **whole.branches},
        coverage=coverage,
        open_table=len(parts) <= OPEN_TABLE,
        no_speech=NO_SPEECH,
        clock=clock,
        percent=percent,
    )


def parts_of(segments: Sequence[Segment]) -> list[Part]:
    """Neighbours with the same label put together, the certain apart from the others."""
    found = []
    for (label, certain), run in groupby(segments, key=lambda segment: (segment.label, segment.certain)):
        alike = list(run)
        sets = dict.fromkeys(name for segment in alike for name in segment.set)
        whole = summarise(alike)
        score = whole.probabilities.get(label)
        maybe = [name for name in sets if name != label]
        found.append(Part(whole.start, whole.end, label, score, certain, maybe, text_of(alike)))
    return found


def shares_of(speech: Sequence[Part]) -> dict[str, float]:
    """Label -> share of the time in which it was found, the longest first."""
    shares = {
        label: _share([part for part in speech if part.label == label], speech)
        for label in {part.label for part in speech}
    }
    return dict(sorted(shares.items(), key=lambda pair: (-pair[1], pair[0])))


def clock(time_s: float, digits: int = 0) -> str:
    """`m:ss`, or `h:mm:ss`, with so many digits after the point."""
    minutes, seconds = divmod(round(time_s, digits), 60)
    hours, minutes = divmod(int(minutes), 60)
    rest = f"{seconds:0{digits + 3 if digits else 2}.{digits}f}"
    return f"{hours}:{minutes:02}:{rest}" if hours else f"{minutes}:{rest}"


def percent(share: float) -> str:
    """A share as a whole percentage, which says 100 or 0 only of what is that."""
    rounded = round(100 * share)
    if share < 1 and rounded == 100:
        return "> 99 %"
    return "< 1 %" if share > 0 and rounded == 0 else f"{rounded} %"


def _share(parts: Sequence[Part], of: Sequence[Part]) -> float:
    total = sum(part.end - part.start for part in of)
    return sum(part.end - part.start for part in parts) / total if total else 0.0


def _rows(overview: Overview, parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
    """The time line in rows of one length, each with what is drawn in it; places are percentages of its width."""
    whole = overview.duration
    length = whole if whole <= SHORT_ROW_S else _tick_from(max(SHORT_ROW_S, whole / MOST_ROWS))
    count = max(1, math.ceil(round(whole / length, 6)))
    starts = [row * length for row in range(count + 1)]
    tick = _tick_from(length / 5)
    for start, end in pairwise(starts):
        yield {
            "waveform": overview.waveform(start, end),
            "spectrogram": overview.spectrogram(start, min(end, whole)),
            "filled": 100 * min(1.0, (whole - start) / length),
            "spans": [
                (part, 100 * (first - start) / length, 100 * (last - first) / length)
                for part in parts
                if (last := min(part.end, end)) > (first := max(part.start, start))
            ],
            "ticks": [
                (100 * place * tick / length, clock(start + place * tick, int(tick < 1)))
                for place in range(int(length / tick) + 1)
                if place * tick <= min(0.9 * length, whole - start)
            ],
        }


def _tick_from(least_s: float) -> float:
    """The first round time that is not below `least_s`."""
    return next((tick for tick in TICKS if tick >= least_s), 3600.0 * math.ceil(least_s / 3600))
