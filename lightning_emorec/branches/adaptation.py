"""A second solution of a linear branch, for rows that are adapted to their speaker."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_emorec.branches.readout import LinearReadout
from lightning_emorec.speaker_names import is_nobody
from lightning_emorec.speaker_scores import (
    SpeakerScores,
    label_weight,
    mean_by_label,
    speakers_vary,
    variance_ratio,
)
from lightning_emorec.training_data import LabelledClips, TrainingData
from lightning_emorec.types import Logits, Tasks

Adapt = Literal["none", "speaker"]
"""Whether a model may be adapted to a speaker by unlabelled clips."""

Rows = NDArray[np.float64]
Solve = Callable[[Rows, LabelledClips], tuple[Rows, Rows]]
"""Weights, (classes, size), and biases, (classes,), from (clips, views, size) rows."""


class SpeakerReadout(nn.Module):
    """The adapted solution of each task beside that of a `LinearReadout`, over the same standardised rows.

    It is solved on the training rows from which the mean over the clips of their own speaker is taken away, shrunk as
    at use. A task whose label is the same in all clips of a speaker, such as sex, is not adapted: the mean would take
    the label away too.

    Args:
        tasks: Task name -> class names.
    """

    def __init__(self, tasks: Tasks) -> None:
        super().__init__()
        self.tasks = tasks
        self.kept: dict[str, dict[str, Tensor]] = {}
        self._build(1, torch.device("cpu"))

    def learn(self, rows: Rows, training: TrainingData, readout: LinearReadout, solve: Solve) -> None:
        """Solve every task on adapted rows.

        Args:
            rows: (clips, views, size) of all training clips, standardised.
            training: The clips.
            readout: The unadapted solution, learned on the same rows.
            solve: Solves one task.
        """
        speakers = [clip.actor for clip in training.clips]
        ratio = variance_ratio(torch.from_numpy(rows.mean(axis=1)), speakers)
        self.kept = {}
        self._build(rows.shape[2], readout.standardiser.mean.device)
        for task in self.tasks:
            labelled = training.labelled(task)
            labels = torch.full((len(rows),), -1)
            labels[labelled.places] = torch.from_numpy(labelled.labels)
            by_label, prior = mean_by_label(torch.from_numpy(rows.mean(axis=1)), labels, labelled.classes)
            own = ratio if speakers_vary(labels, speakers) else math.inf
            head = _head(readout, task)
            solution = (head.weight.cpu().double().numpy(), head.bias.cpu().double().numpy())
            if math.isfinite(own):
                adapted = _adapted_rows(rows, speakers, labels, by_label.numpy(), prior, own)
                solution = solve(adapted, labelled)
            for kept, values in zip(
                (_head(self, task).weight, _head(self, task).bias), solution, strict=True
            ):
                kept.copy_(torch.from_numpy(values))
            self.kept[task] = {
                "centre": self._scores(task, readout, torch.from_numpy(rows.mean(axis=(0, 1)))[None]),
                "effects": self._effects(task, readout, by_label),
                "prior": prior.float(),
                "ratio": torch.tensor(own),
            }

    def scores(self, standard: Tensor, readout: LinearReadout, logits: Logits) -> dict[str, SpeakerScores]:
        """What adaptation takes of clips, by task.

        Args:
            standard: (clips, views, size), standardised.
            readout: The unadapted solution.
            logits: Of the unadapted model.
        """
        made = {}
        for task, kept in self.kept.items():
            shares = logits[task].float().softmax(dim=1).cpu()
            views = [self._scores(task, readout, standard[:, view]) for view in range(standard.shape[1])]
            clips = len(standard)
            made[task] = SpeakerScores(
                scores=torch.stack(views, dim=2),
                centre=kept["centre"].expand(clips, -1, -1),
                effects=torch.einsum("ne,sec->nsc", shares, kept["effects"]),
                shares=shares,
                prior=kept["prior"].expand(clips, -1),
                ratio=kept["ratio"].expand(clips),
            )
        return made

    def get_extra_state(self) -> dict[str, Any]:
        """How many numbers there are, and what was learned beside the solutions, as plain types and tensors."""
        return {"size": self._size, "kept": self.kept}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Make room for a checkpoint's weights; PyTorch fills the children afterwards."""
        self._build(state["size"], torch.device("cpu"))
        self.kept = dict(state["kept"])

    def _build(self, size: int, device: torch.device) -> None:
        self._size = size
        self.heads = nn.ModuleDict(
            {task: nn.Linear(size, len(classes), device=device) for task, classes in self.tasks.items()}
        )
        self.requires_grad_(False)

    def _scores(self, task: str, readout: LinearReadout, rows: Tensor) -> Tensor:
        """(rows, solutions, classes), on the CPU."""
        heads = (_head(readout, task), _head(self, task))
        return torch.stack([head(rows.to(head.weight)) for head in heads], dim=1).cpu()

    def _effects(self, task: str, readout: LinearReadout, by_label: Tensor) -> Tensor:
        """(solutions, labels, classes): what the effect of each label on the rows adds to the scores."""
        weights = torch.stack([_head(of, task).weight.cpu() for of in (readout, self)])
        return torch.einsum("ep,scp->sec", by_label.float(), weights)


def _head(readout: LinearReadout | SpeakerReadout, task: str) -> nn.Linear:
    return cast(nn.Linear, readout.heads[task])


def _adapted_rows(
    rows: Rows, speakers: Sequence[str], labels: Tensor, by_label: Rows, prior: Tensor, ratio: float
) -> Rows:
    """The training rows, each adapted by all clips of its speaker, whose labels are known here."""
    adapted, centre = rows.copy(), rows.mean(axis=0)
    places: dict[str, list[int]] = {}
    for place, speaker in enumerate(speakers):
        places.setdefault(speaker, []).append(place)
    for own in (own for speaker, own in places.items() if not is_nobody(speaker)):
        moved = rows[own].mean(axis=0) - centre  # (views, size)
        counts = torch.bincount(labels[own][labels[own] >= 0], minlength=len(prior)).double()
        if counts.sum():
            shares = counts / counts.sum()
            moved -= float(label_weight(shares[None], prior[None])) * (shares.numpy() @ by_label)
        adapted[own] -= len(own) / (len(own) + ratio) * moved
    return adapted
