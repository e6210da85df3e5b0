"""Embeddings of segments in a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lightning_emorec.atomic_write import whole_file
from lightning_emorec.confidence import Floats
from lightning_emorec.recognition.segment import Segment


class Embeddings:
    """Embeddings of segments, by branch.

    Attributes:
        segments: (file, start, end) of each, in order.
        rows: Branch -> (size,) of each.
    """

    def __init__(self) -> None:
        self.segments: list[tuple[str, float, float]] = []
        self.rows: dict[str, list[Floats]] = {}

    def add(self, segment: Segment, rows: Mapping[str, Floats]) -> None:
        """Take those of a segment."""
        self.segments.append((segment.file, segment.start, segment.end))
        for name, values in rows.items():
            self.rows.setdefault(name, []).append(values)

    def save(self, path: Path) -> None:
        """Write an `.npz` with the arrays `recording`, `start`, `end` and one for each branch, named as that."""
        files, starts, ends = zip(*self.segments, strict=True) if self.segments else ((), (), ())
        arrays: dict[str, Any] = {
            "recording": np.asarray(files, dtype=str),
            "start": np.asarray(starts, dtype=np.float64),
            "end": np.asarray(ends, dtype=np.float64),
        }
        arrays |= {name: np.asarray(values, dtype=np.float32) for name, values in self.rows.items()}
        with whole_file(path) as file:
            np.savez(file, **arrays)
