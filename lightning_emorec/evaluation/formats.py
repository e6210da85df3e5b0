"""Formats of numbers, p-values and actors in tables and reports."""

from __future__ import annotations

from collections.abc import Iterable

from lightning_emorec.evaluation.intervals import Estimate
from lightning_emorec.speaker_names import canonical


def percent(value: float | None) -> str:
    """A share in percent with one decimal; a dash for None."""
    return "–" if value is None else f"{100 * value:.1f}"


def points(value: float | None) -> str:
    """A difference of shares in percentage points, with its sign."""
    if value is None:
        return "–"
    shown = f"{100 * value:+.1f}"
    return "0.0" if float(shown) == 0 else shown.replace("-", "−")


def interval(estimate: Estimate | None, signed: bool = False) -> str:
    """Ends of an interval in percent, or in percentage points with their signs; empty without an interval.

    Over too few actors a dash with their number, as in `– (2 actors)`.
    """
    if estimate is None or estimate.interval is None:
        return ""
    if estimate.interval.too_few:
        return f"– ({estimate.interval.actors} actors)"
    low, high = estimate.interval.low, estimate.interval.high
    return f"{points(low)} to {points(high)}" if signed else f"{percent(low)}–{percent(high)}"


def brackets(estimate: Estimate | None) -> str:
    """An interval in percent, with a leading space, as in ` [50.0, 100.0]`; empty without an interval.

    Over too few actors ` [–, 2 actors]`.
    """
    ends = estimate and estimate.interval
    if ends and ends.too_few:
        return f" [–, {ends.actors} actors]"
    return f" [{percent(ends.low)}, {percent(ends.high)}]" if ends else ""


def p_value(p: float) -> str:
    """A p-value with three decimals."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def p_is(p: float) -> str:
    """As in `p = 0.031` and `p < 0.001`."""
    shown = p_value(p)
    return f"p {shown}" if shown.startswith("<") else f"p = {shown}"


def duration(seconds: float) -> str:
    """Wall time, as in `12.3 s`, `2 min 5 s` and `3 h 7 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"


def count(number: int, noun: str) -> str:
    """As in `1 actor` and `4 actors`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def actor_list(actors: Iterable[str]) -> str:
    """Actors in natural order, with three or more consecutive numbers as a range, as in `2-8, 10`."""
    names = {canonical(actor) for actor in actors}
    runs: list[list[int]] = []
    for number in sorted(int(name) for name in names if name.isdecimal()):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    numbers = [f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return ", ".join([*numbers, *sorted(name for name in names if not name.isdecimal())])
