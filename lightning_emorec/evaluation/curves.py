"""Learning curves, read from metrics.csv."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from pathlib import Path

Curve = dict[int, float]
"""Epoch -> value."""


def read_curves(path: Path, keys: Iterable[str]) -> dict[str, Curve]:
    """Read columns of a metrics.csv, which may be absent: column -> curve, if it has at least two epochs.

    A resumed run may log an epoch twice: the later row is used. An incomplete row of a killed run is ignored.
    """
    curves = {key: dict(read_column(path, key)) for key in keys}
    return {key: dict(sorted(curve.items())) for key, curve in curves.items() if len(curve) > 1}


def read_column(path: Path, key: str) -> list[tuple[int, float]]:
    """Read a column of a metrics.csv: (epoch, value) of each row with both; empty if file or column is absent."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf8") as lines:
        rows = [(_number(row.get("epoch")), _number(row.get(key))) for row in csv.DictReader(lines)]
    return [(int(epoch), value) for epoch, value in rows if epoch is not None and value is not None]


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "nan")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
