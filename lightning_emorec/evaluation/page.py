"""Pages that need no network and no other file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from lightning_emorec.evaluation.intervals import Estimate
from lightning_emorec.evaluation.leaderboard import actor_list, p_value, percent

FEW_ACTORS = 10
"""Actors up to which a page warns that there are few of them."""


def render(template: str, content: Mapping[str, Any], stage: str = "evaluation") -> str:
    """Fill in a template of this package; what comes from outside is escaped.

    Args:
        template: Its file name.
        content: Name -> value; one that a template wants and that is absent is an error.
        stage: Folder that holds the template; what it includes may also be of `evaluation`.
    """
    folders = dict.fromkeys((stage, "evaluation"))
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("lightning_emorec", folder) for folder in folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "points": points,
        "interval": interval,
        "actors": actor_list,
        "duration": _duration,
        "p": p_value,
        "p_is": _p_is,
    }
    return environment.get_template(template).render(content)


def points(value: float | None) -> str:
    """A difference of shares in percentage points, with its sign."""
    if value is None:
        return "–"
    shown = f"{100 * value:+.1f}"
    return "0.0" if float(shown) == 0 else shown.replace("-", "−")


def interval(estimate: Estimate | None, signed: bool = False) -> str:
    """Ends of an interval in percent, or in percentage points with their signs; empty where there is none."""
    if estimate is None or estimate.interval is None:
        return ""
    low, high = estimate.interval.low, estimate.interval.high
    return f"{points(low)} to {points(high)}" if signed else f"{percent(low)}–{percent(high)}"


def _p_is(p: float) -> str:
    """As in `p = 0.031` and `p < 0.001`."""
    shown = p_value(p)
    return f"p {shown}" if shown.startswith("<") else f"p = {shown}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"
