"""A trained model as one graph from waveforms to log-probabilities."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lightning_emorec.branches import AudioCnn, Branch, PublishedCnn, WhisperStatistics
from lightning_emorec.export.cnn_graphs import AudioCnnGraph, PublishedCnnGraph
from lightning_emorec.export.whisper_graph import WhisperStatisticsGraph
from lightning_emorec.features.whisper_context import RATE_HZ
from lightning_emorec.inference import TrainedModel

HELD = (AudioCnn, PublishedCnn, WhisperStatistics)
"""Branches that a graph of waveforms can hold."""


def why_not(branch: Branch, rate_hz: int) -> str | None:
    """Why a branch cannot be part of the graph; None where it can.

    Args:
        branch: The branch.
        rate_hz: Of the model's audio.
    """
    kind = type(branch)
    if kind not in HELD:
        names = ", ".join(one.__name__ for one in HELD)
        return f"{kind.__name__} reads more than a graph can compute from a waveform; it can hold {names}"
    if kind is WhisperStatistics and rate_hz != RATE_HZ:
        return f"Whisper hears {RATE_HZ} Hz, and the model's audio has {rate_hz} Hz"
    return None


class ModelGraph(nn.Module):
    """The branches of a model and, of a fusion, its rule.

    Args:
        trained: Every branch of which can be held.

    Attributes:
        outputs: Names of what `forward` gives, in order: `TASK` of the model, then `BRANCH.TASK`.
    """

    def __init__(self, trained: TrainedModel) -> None:
        super().__init__()
        self.tasks = list(trained.tasks)
        self.graphs = nn.ModuleDict(
            {name: _graph_of(branch, trained) for name, branch in trained.branches.items()}
        )
        fusion = trained.fusion
        self.rules = None if fusion is None else nn.ModuleDict({task: fusion.rule(task) for task in self.tasks})
        self.order = list(trained.branches) if fusion is None else list(fusion.fitted.needs_audio)
        self.outputs = [*self.tasks, *(f"{name}.{task}" for name in self.graphs for task in self.tasks)]

    def forward(self, waveform: Tensor, length: Tensor) -> tuple[Tensor, ...]:
        """Log-probabilities, (batch, classes) each, as `outputs` names them.

        Args:
            waveform: (batch, samples) float32; what follows a clip's end may be anything.
            length: (batch,) int64, samples that are the clip's own.
        """
        place = torch.arange(waveform.shape[1], device=waveform.device)[None]
        waveform = torch.where(place < length[:, None], waveform, 0.0)
        made: Mapping[str, Mapping[str, Tensor]] = {
            name: {task: logits.float().log_softmax(dim=1) for task, logits in graph(waveform, length).items()}
            for name, graph in self.graphs.items()
        }
        if self.rules is None:
            fused = next(iter(made.values()))
        else:
            rows = {task: torch.stack([made[name][task] for name in self.order]) for task in self.tasks}
            fused = {task: rule(rows[task]) for task, rule in self.rules.items()}
        return (
            *(fused[task] for task in self.tasks),
            *(made[name][task] for name in self.graphs for task in self.tasks),
        )


def _graph_of(branch: Branch, trained: TrainedModel) -> nn.Module:
    branch = branch.eval()
    if isinstance(branch, AudioCnn):
        return AudioCnnGraph(branch, trained.front_end)
    if isinstance(branch, PublishedCnn):
        return PublishedCnnGraph(branch, trained.front_end)
    assert isinstance(branch, WhisperStatistics)
    return WhisperStatisticsGraph(branch)
