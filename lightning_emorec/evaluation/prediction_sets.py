"""What a model's prediction sets hold on actors that it has not learned from, beside what they promise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from lightning_emorec.confidence import covered
from lightning_emorec.evaluation.formats import count
from lightning_emorec.evaluation.results import Results
from lightning_emorec.metrics import calibration_error
from lightning_emorec.types import UNLABELLED

ASKED = 0.9


@dataclass(frozen=True)
class PredictionSets:
    """Prediction sets on the test clips, each fold's by the validation actors of that fold.

    Attributes:
        asked: The coverage that they are made for.
        coverage: Share of the clips whose right class is in the set.
        actors: Actor -> the same of the actor's clips.
        mean_size: Classes in a set.
        certain: Share of sets of one class.
        ece: Expected calibration error of the calibrated probabilities.
        validation_actors: Number of validation actors that they are founded on, the least of the folds.
        nominal: Whether `asked` is more than these actors back up.
    """

    asked: float
    coverage: float
    actors: dict[str, float]
    mean_size: float
    certain: float
    ece: float
    validation_actors: int
    nominal: bool

    @property
    def sentence(self) -> str:
        """What was found, for a line."""
        promised = f"{100 * self.asked:g}%{' (nominal)' if self.nominal else ''}"
        low, high = (100 * of for of in (min(self.actors.values()), max(self.actors.values())))
        return (
            f"prediction sets for {promised}, founded on {count(self.validation_actors, 'validation actor')}: right "
            f"class in {100 * self.coverage:.1f}% (by actor {low:.1f} to {high:.1f}), {self.mean_size:.2f} classes a "
            f"set, one class in {100 * self.certain:.1f}%"
        )


def prediction_sets(results: Results, asked: float = ASKED) -> PredictionSets | None:
    """Judge the chosen system's sets of the first task on the test clips of the first seed, all folds together.

    Args:
        results: What was found.
        asked: The coverage.

    Returns:
        None where there was no test, or a fold has no validation logits to found sets on.
    """
    folds = results.of(results.seeds[0])
    founded = [fold.confidence for fold in folds if fold.confidence is not None]
    if results.part != "test" or len(founded) < len(folds):
        return None
    held, sizes, speaking, sure, right = [], [], [], [], []
    for fold, confidence in zip(folds, founded, strict=True):
        part = fold.logits[results.chosen]["test"]
        known = (part.labels[results.task] != UNLABELLED).numpy()
        labels = part.labels[results.task].numpy()[known]
        probabilities = confidence.probabilities(part.logits[results.task].numpy()[known])
        sets = confidence.sets(probabilities, asked)
        held.append(covered(sets, labels))
        sizes.append(sets.sum(axis=-1))
        sure.append(probabilities.max(axis=-1))
        right.append(probabilities.argmax(axis=-1) == labels)
        speaking += [
            results.clips[clip].actor for clip, is_known in zip(part.clip_ids, known, strict=True) if is_known
        ]
    inside, size, actors = np.concatenate(held), np.concatenate(sizes), np.array(speaking)
    confident, is_right = (torch.from_numpy(np.concatenate(of)) for of in (sure, right))
    return PredictionSets(
        asked,
        float(inside.mean()),
        {str(actor): float(inside[actors == actor].mean()) for actor in np.unique(actors)},
        float(size.mean()),
        float((size == 1).mean()),
        float(calibration_error(confident, is_right)),
        min(of.actors for of in founded),
        any(of.is_nominal(asked) for of in founded),
    )
