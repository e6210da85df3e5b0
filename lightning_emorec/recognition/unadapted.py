"""What adaptation to a speaker takes of a model's answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_emorec.fusion import SpeakerAdaptation
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.speaker_scores import SpeakerScores
from lightning_emorec.types import UNLABELLED, Logits


@dataclass(frozen=True)
class Unadapted:
    """What a model finds in waveforms before it is adapted, on the CPU.

    Attributes:
        logits: Branch -> task -> (waveforms, classes).
        scores: Branch -> task -> what adaptation takes of them; tasks without are not adapted.
        fused: The model's logits.
        adaptation: What adapts the model.
        classes: Names of the classes of its first task.
    """

    logits: dict[str, Logits]
    scores: dict[str, dict[str, SpeakerScores]]
    fused: Logits
    adaptation: SpeakerAdaptation
    classes: Sequence[str]

    @classmethod
    def of(
        cls,
        adaptation: SpeakerAdaptation,
        judged: Mapping[str, Logits],
        speakers: Mapping[str, Mapping[str, SpeakerScores]],
        fused: Logits,
        classes: Sequence[str],
    ) -> Unadapted:
        """Of one batch: logits of the branches and of the model, and what the branches give for adaptation."""
        rows = len(next(iter(fused.values())))
        ids, labels = [str(row) for row in range(rows)], torch.full((rows,), UNLABELLED)
        parts = {
            name: PartLogits(ids, logits, dict.fromkeys(logits, labels), speakers=dict(speakers[name]))
            for name, logits in judged.items()
        }
        own = {task: values.detach().cpu().float() for task, values in fused.items()}
        return cls(
            {name: part.logits for name, part in parts.items()},
            adaptation.scores(parts),
            own,
            adaptation,
            classes,
        )

    def row(self, place: int) -> Unadapted:
        """One of the waveforms."""

        def taken(logits: Logits) -> Logits:
            return {task: values[place : place + 1].clone() for task, values in logits.items()}

        scores = {
            name: {task: values.rows([place]) for task, values in of.items()}
            for name, of in self.scores.items()
        }
        logits = {name: taken(of) for name, of in self.logits.items()}
        return Unadapted(logits, scores, taken(self.fused), self.adaptation, self.classes)

    @classmethod
    def join(cls, several: Sequence[Unadapted]) -> Unadapted:
        """All waveforms, in order; of the same model."""
        first = several[0]
        return cls(
            {name: _joined([of.logits[name] for of in several]) for name in first.logits},
            {
                name: {task: SpeakerScores.join([of.scores[name][task] for of in several]) for task in tasks}
                for name, tasks in first.scores.items()
            },
            _joined([of.fused for of in several]),
            first.adaptation,
            first.classes,
        )


def _joined(several: Sequence[Logits]) -> dict[str, Tensor]:
    return {task: torch.cat([of[task] for of in several]) for task in several[0]}
