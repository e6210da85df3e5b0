"""Evaluation of a model's prediction sets on test actors: empirical and nominal coverage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightning_emorec.confidence import covered
from lightning_emorec.evaluation.formats import count
from lightning_emorec.evaluation.results import Results
from lightning_emorec.metrics import calibration_error
from lightning_emorec.types import UNLABELLED

ASKED = 0.9


@dataclass(frozen=True)
class PredictionSets:
    """Prediction sets on the test clips; those of each fold are calibrated on its validation actors.

    Attributes:
        asked: Nominal coverage.
        coverage: Share of the clips with the right class in the set.
        actors: Actor -> coverage of the actor's clips.
        mean_size: Mean number of classes in a set.
        certain: Share of sets with one class.
        ece: Expected calibration error of the calibrated probabilities.
        validation_actors: Number of validation actors, the minimum over folds.
        nominal: Whether these are too few actors to guarantee the coverage.
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
        """A summary in one line."""
        promised = f"{100 * self.asked:g}%{' (nominal)' if self.nominal else ''}"
        low, high = (100 * of for of in (min(self.actors.values()), max(self.actors.values())))
        return (
            f"prediction sets for {promised}, founded on {count(self.validation_actors, 'validation actor')}: right "
            f"class in {100 * self.coverage:.1f}% (by actor {low:.1f} to {high:.1f}), {self.mean_size:.2f} classes a "
            f"set, one class in {100 * self.certain:.1f}%"
        )


def prediction_sets(results: Results, asked: float = ASKED) -> PredictionSets | None:
    """Evaluate the chosen system's sets with coverage `asked` on the test clips of the first seed, pooled over folds.

    None without a test, or if a fold has no validation logits for calibration.
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
    return PredictionSets(
        asked,
        float(inside.mean()),
        {str(actor): float(inside[actors == actor].mean()) for actor in np.unique(actors)},
        float(size.mean()),
        float((size == 1).mean()),
        calibration_error(np.concatenate(sure), np.concatenate(right)),
        min(of.actors for of in founded),
        any(of.is_nominal(asked) for of in founded),
    )
