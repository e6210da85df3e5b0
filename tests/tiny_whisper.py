"""A small Whisper with random weights, written as OpenAI publishes its own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch


def save_whisper(path: Path, layers: int = 2, width: int = 8) -> Path:
    """Write a checkpoint with an encoder of these sizes; its decoder ends after ten tokens of text."""
    from whisper.model import ModelDimensions, Whisper

    torch.manual_seed(0)
    model = Whisper(ModelDimensions(80, 1500, width, 2, layers, 51864, 20, width, 2, 1))
    torch.nn.init.normal_(model.decoder.positional_embedding)
    torch.save({"dims": asdict(model.dims), "model_state_dict": model.state_dict()}, path)
    return path
