"""Error analysis: by class, by actor and by clip."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.metrics import Integers
from lightning_emorec.types import Clip


@dataclass(frozen=True)
class ClassRow:
    """One class: its clips, recall, precision (None if undefined), and most frequent confusion."""

    name: str
    clips: int
    recall: float | None
    precision: float | None
    mistaken_for: str
    mistaken_clips: int


def by_class(counts: Integers, classes: list[str]) -> list[ClassRow]:
    """Summarise each class of a (classes, classes) confusion matrix."""
    wrong = counts * ~np.eye(len(classes), dtype=bool)
    rows = []
    for index, name in enumerate(classes):
        right, labels, predictions = (
            int(n) for n in (counts[index, index], counts[index].sum(), counts[:, index].sum())
        )
        rows.append(
            ClassRow(
                name,
                labels,
                right / labels if labels else None,
                right / predictions if predictions else None,
                classes[int(wrong[index].argmax())],
                int(wrong[index].max()),
            )
        )
    return rows


@dataclass(frozen=True)
class ActorRow:
    """Number of clips and accuracy of one actor."""

    actor: str
    clips: int
    accuracy: float


def by_actor(predictions: Predictions) -> list[ActorRow]:
    """Accuracy of each actor, in natural order."""
    right: dict[str, list[bool]] = {}
    for actor, is_right in zip(predictions.actors, predictions.right.tolist(), strict=True):
        right.setdefault(actor, []).append(is_right)
    actors = sorted(right, key=lambda actor: (not actor.isdecimal(), actor.zfill(9), actor))
    return [ActorRow(actor, len(right[actor]), sum(right[actor]) / len(right[actor])) for actor in actors]


@dataclass(frozen=True)
class Mistake:
    """A clip with a wrong prediction, and the probability given to that class.

    Attributes:
        clip: The clip.
        label: Its class.
        predicted: The predicted class.
        probability: Of the predicted class.
        read: Transcript that the model read, if its words differ from the text in the corpus.
    """

    clip: Clip
    label: str
    predicted: str
    probability: float
    read: str | None


def mistakes(predictions: Predictions, clips: Mapping[str, Clip], texts: Mapping[str, str]) -> list[Mistake]:
    """The misclassified clips in order of decreasing confidence.

    Args:
        predictions: Predictions of the model.
        clips: The clips by id.
        texts: Clip -> transcript that the model read; empty for a model without text input.
    """
    wrong = np.flatnonzero(~predictions.right)
    confidence, ids = predictions.confidence, predictions.clip_ids
    return [
        Mistake(
            clips[ids[row]],
            predictions.classes[predictions.labels[row]],
            predictions.classes[predictions.predicted[row]],
            float(confidence[row]),
            _misread(clips[ids[row]].text, texts.get(ids[row])),
        )
        for row in wrong[np.argsort(-confidence[wrong], kind="stable")]
    ]


def _misread(given: str | None, read: str | None) -> str | None:
    """The transcript if its words differ from the text in the corpus."""
    return None if read is None or (given is not None and _words(given) == _words(read)) else read


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
