"""Predictions of made-up models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.evaluation.predictions import Predictions


def predictions(*actors: tuple[str, list[int], list[int]], classes: int = 2) -> Predictions:
    """Actor by actor: name, labels, predictions."""
    labels = [label for _, of, _ in actors for label in of]
    predicted = [index for _, _, of in actors for index in of]
    names = [name for name, of, _ in actors for _ in of]
    ids = [f"clip-{row}" for row in range(len(labels))]
    return made(ids, np.array(labels), np.array(predicted), names, classes)


def made(
    ids: list[str],
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    actors: list[str],
    classes: int,
) -> Predictions:
    """Predictions that are certain."""
    probabilities = np.eye(classes)[predicted] if len(ids) else np.zeros((0, classes))
    return Predictions(ids, labels, predicted, probabilities, actors, [f"class {n}" for n in range(classes)])


def random_predictions(seed: int, actors: int = 6, clips: int = 10, classes: int = 4) -> Predictions:
    """A model that is right more often than not, on clips that are the same for every seed."""
    drawn = np.random.default_rng(0)
    labels = drawn.integers(0, classes, actors * clips)
    names = [str(actor) for actor in drawn.integers(0, actors, actors * clips)]
    drawn = np.random.default_rng(seed)
    predicted = np.where(drawn.random(len(labels)) < 0.5, labels, drawn.integers(0, classes, len(labels)))
    return made([f"clip-{row}" for row in range(len(labels))], labels, predicted, names, classes)


def shuffled(of: Predictions) -> Predictions:
    return of.rows(np.random.default_rng(3).permutation(len(of.clip_ids)))


def predicting(of: Predictions, predicted: list[int]) -> Predictions:
    """The same clips, predicted otherwise."""
    return replace(of, predicted=np.array(predicted))
