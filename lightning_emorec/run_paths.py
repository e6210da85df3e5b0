"""Where a branch's run folder keeps what a fusion takes from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning_emorec.types import Part

BEST = "best.ckpt"
LAST = "last.ckpt"


def best_checkpoint(folder: Path) -> Path:
    """The checkpoint that a run is judged by."""
    return folder / "checkpoints" / BEST


def last_checkpoint(folder: Path) -> Path:
    """The checkpoint that an interrupted run goes on from."""
    return folder / "checkpoints" / LAST


def logits_file(folder: Path, part: Part) -> Path:
    """The logits of a part, as `PartLogits.save` writes them."""
    return folder / "logits" / f"{part}.pt"


def solved_on_file(folder: Path, branch: str) -> Path:
    """Validation logits that a fused run's rules were solved on, where its branches were refitted afterwards."""
    return folder / "logits" / "solved_on" / f"{branch}.pt"
