"""Tiny arguments for each branch, so that one body of tests serves them all."""

from __future__ import annotations

from typing import Any

SMALL: dict[str, dict[str, Any]] = {
    "AudioCnn": {"width": 4, "stages": 2},
    "TranscriptGru": {"transcript": "reference", "embedding_size": 8, "hidden": 8},
}
"""Class name -> init_args without `tasks`."""
