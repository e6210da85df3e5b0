"""Where a model is right and where it is wrong: by class, by actor, by confidence and clip by clip."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_emorec.metrics import ECE_BINS, confidence_bins
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import UNLABELLED, Clip


@dataclass(frozen=True)
class Answers:
    """What a model says of the clips that a task labels.

    Attributes:
        clip_ids: The clips.
        labels: (clips,) right class.
        predicted: (clips,) most probable class.
        confidence: (clips,) its probability.
        classes: Class names.
    """

    clip_ids: list[str]
    labels: Tensor
    predicted: Tensor
    confidence: Tensor
    classes: list[str]

    @classmethod
    def of(cls, part: PartLogits, task: str, classes: list[str]) -> Answers:
        """Take one task's labelled clips from a part."""
        labels = part.labels[task]
        labelled = labels != UNLABELLED
        confidence, predicted = part.logits[task].double().softmax(dim=-1).max(dim=-1)  # both (clips,)
        ids = [clip for clip, wanted in zip(part.clip_ids, labelled.tolist(), strict=True) if wanted]
        return cls(ids, labels[labelled], predicted[labelled], confidence[labelled], classes)

    @property
    def right(self) -> Tensor:
        """(clips,) bool."""
        return self.labels == self.predicted


def confusion(answers: Answers) -> Tensor:
    """Clips counted by class (rows) and prediction (columns): (classes, classes) int64."""
    size = len(answers.classes)
    return (answers.labels * size + answers.predicted).bincount(minlength=size**2).view(size, size)


@dataclass(frozen=True)
class ClassRow:
    """One class: its clips, recall, precision (None where there is nothing to divide by), worst confusion."""

    name: str
    clips: int
    recall: float | None
    precision: float | None
    mistaken_for: str
    mistaken_clips: int


def by_class(counts: Tensor, classes: list[str]) -> list[ClassRow]:
    """Read a confusion matrix, (classes, classes), class by class."""
    rows = []
    for index, name in enumerate(classes):
        right, clips, said = (
            int(n) for n in (counts[index, index], counts[index].sum(), counts[:, index].sum())
        )
        wrong = counts[index].clone()
        wrong[index] = 0
        rows.append(
            ClassRow(
                name,
                clips,
                right / clips if clips else None,
                right / said if said else None,
                classes[int(wrong.argmax())],
                int(wrong.max()),
            )
        )
    return rows


@dataclass(frozen=True)
class ActorRow:
    """One actor's clips and the share of them that is right."""

    actor: str
    clips: int
    accuracy: float


def by_actor(answers: Answers, clips: Mapping[str, Clip]) -> list[ActorRow]:
    """Accuracy of each actor, in natural order."""
    right: dict[str, list[bool]] = {}
    for clip, is_right in zip(answers.clip_ids, answers.right.tolist(), strict=True):
        right.setdefault(clips[clip].actor, []).append(is_right)
    actors = sorted(right, key=lambda actor: (not actor.isdecimal(), actor.zfill(9), actor))
    return [ActorRow(actor, len(right[actor]), sum(right[actor]) / len(right[actor])) for actor in actors]


@dataclass(frozen=True)
class ConfidenceBin:
    """Clips of similar confidence: their number, mean confidence and accuracy."""

    clips: int
    confidence: float
    accuracy: float


def by_confidence(answers: Answers) -> list[ConfidenceBin]:
    """The bins that ECE is computed over, without empty ones."""
    return reliability_bins(answers.confidence, answers.right)


def reliability_bins(confidence: Tensor, right: Tensor) -> list[ConfidenceBin]:
    """How often statements are right that one is about as sure of, without empty bins.

    Args:
        confidence: (clips,) probability of a statement about each clip.
        right: (clips,) bool, whether it holds.
    """
    bins = confidence_bins(confidence)
    groups = [bins == index for index in range(ECE_BINS)]
    return [
        ConfidenceBin(int(group.sum()), float(confidence[group].mean()), float(right[group].double().mean()))
        for group in groups
        if group.any()
    ]


@dataclass(frozen=True)
class Mistake:
    """A clip taken for another class, and the probability given to that class.

    Attributes:
        clip: The clip.
        label: What it is.
        predicted: What it was taken for.
        probability: Of that.
        read: Transcript that the model read, where its words are not those that the corpus gives.
    """

    clip: Clip
    label: str
    predicted: str
    probability: float
    read: str | None


def mistakes(answers: Answers, clips: Mapping[str, Clip], texts: Mapping[str, str]) -> list[Mistake]:
    """The clips that are wrong, the surest first.

    Args:
        answers: What the model says.
        clips: The clips by id.
        texts: Clip -> what the model read of it, if it reads.
    """
    wrong = (~answers.right).nonzero().flatten()
    surest = wrong[torch.argsort(answers.confidence[wrong], descending=True, stable=True)]
    return [
        Mistake(
            clips[answers.clip_ids[index]],
            answers.classes[int(answers.labels[index])],
            answers.classes[int(answers.predicted[index])],
            float(answers.confidence[index]),
            _misread(clips[answers.clip_ids[index]].text, texts.get(answers.clip_ids[index])),
        )
        for index in surest.tolist()
    ]


def _misread(said: str | None, read: str | None) -> str | None:
    """What was read, unless it is what was said but for case and punctuation."""
    return None if read is None or (said is not None and _words(said) == _words(read)) else read


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
