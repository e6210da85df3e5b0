"""The course of a training, read from metrics.csv."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from pathlib import Path

Curve = dict[int, float]
"""Epoch -> value."""


def read_curves(path: Path, keys: Iterable[str]) -> dict[str, Curve]:
    """Read some columns by epoch.

    A resumed run may log an epoch twice: the later row holds. A row that a killed run left unfinished counts
    for nothing.

    Args:
        path: metrics.csv; may be absent.
        keys: Columns wanted.

    Returns:
        Column -> its curve, for those with at least two epochs.
    """
    curves = {key: dict(read_column(path, key)) for key in keys}
    return {key: dict(sorted(curve.items())) for key, curve in curves.items() if len(curve) > 1}


def read_column(path: Path, key: str) -> list[tuple[int, float]]:
    """Read what was logged under a key, row by row.

    Args:
        path: metrics.csv; may be absent.
        key: Column wanted; may be absent.

    Returns:
        (epoch, value) of each row that has both.
    """
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
