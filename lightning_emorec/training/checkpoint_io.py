"""Checkpoints that are whole or absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch.plugins.io import TorchCheckpointIO


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint under another name and renames it: a killed run or a full disk leaves the old one."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Save to `path` in one step."""
        path = Path(path)
        unfinished = path.with_name(f".{path.name}.unfinished")
        try:
            super().save_checkpoint(checkpoint, unfinished, storage_options)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
