"""A trained model as one graph from waveforms to log-probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn

from lightning_emorec.audio import FrontEnd
from lightning_emorec.branches import AudioCnn, Branch, PublishedCnn, WhisperStatistics
from lightning_emorec.export.cnn_graphs import AudioCnnGraph, PublishedCnnGraph
from lightning_emorec.export.whisper_graph import WhisperStatisticsGraph
from lightning_emorec.features.whisper_context import RATE_HZ
from lightning_emorec.fusion.rule import FusionRule

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
        read = ", ".join(sorted({feature.name for feature in branch.features})) or "its own front end"
        return f"{kind.__name__} reads {read}, which the graph does not compute"
    if kind is WhisperStatistics and len(branch.features) > 1:
        return f"it reads {len(branch.features)} Whisper models, and the graph holds the encoder of one"
    if kind is WhisperStatistics and rate_hz != RATE_HZ:
        return f"Whisper takes {RATE_HZ} Hz, and the model's audio has {rate_hz} Hz"
    return None


class ModelGraph(nn.Module):
    """The branches of a model and, of a fusion, its rule.

    Args:
        branches: Name -> branch, in the order of the rules' weights; each can be held.
        rules: Task -> rule; None for a model that is no fusion, and has one branch.
        front_end: Of the model.

    Attributes:
        outputs: Names of what `forward` gives, in order: `TASK` of the model, then `BRANCH.TASK`.
    """

    def __init__(
        self, branches: Mapping[str, Branch], rules: Mapping[str, FusionRule] | None, front_end: FrontEnd
    ) -> None:
        super().__init__()
        self.tasks = list(next(iter(branches.values())).tasks)
        self.graphs = nn.ModuleDict({name: _graph_of(branch, front_end) for name, branch in branches.items()})
        self.rules = (
            None if rules is None else nn.ModuleDict({task: deepcopy(rules[task]) for task in self.tasks})
        )
        self.outputs = [*self.tasks, *(f"{name}.{task}" for name in self.graphs for task in self.tasks)]
        self.eval().requires_grad_(False)

    def forward(self, waveform: Tensor, length: Tensor) -> tuple[Tensor, ...]:
        """Log-probabilities, (batch, classes) each, as `outputs` names them.

        Args:
            waveform: (batch, samples) float32; what follows a clip's end may be anything.
            length: (batch,) int64, samples that are the clip's own.
        """
        place = torch.arange(waveform.shape[1], device=waveform.device)[None]
        waveform = torch.where(place < length[:, None], waveform, 0.0)
        made: Mapping[str, Mapping[str, Tensor]] = {
            name: {
                task: logits.float().log_softmax(dim=1) for task, logits in graph(waveform, length).items()
            }
            for name, graph in self.graphs.items()
        }
        # Copies, for the exporter gives two outputs that are one tensor one name.
        fused = {task: rows.clone() for task, rows in next(iter(made.values())).items()}
        if self.rules is not None:
            rows = {task: torch.stack([of[task] for of in made.values()]) for task in self.tasks}
            fused = {task: rule(rows[task]) for task, rule in self.rules.items()}
        return (
            *(fused[task] for task in self.tasks),
            *(of[task] for of in made.values() for task in self.tasks),
        )


def _graph_of(branch: Branch, front_end: FrontEnd) -> nn.Module:
    if isinstance(branch, AudioCnn):
        return AudioCnnGraph(branch, front_end)
    if isinstance(branch, PublishedCnn):
        return PublishedCnnGraph(branch, front_end)
    assert isinstance(branch, WhisperStatistics)
    return WhisperStatisticsGraph(branch)
