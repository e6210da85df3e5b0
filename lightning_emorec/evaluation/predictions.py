"""What a model says of clips, what is right and who speaks: what intervals and paired tests rest on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.errors import EmorecError
from lightning_emorec.metrics import labelled
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import UNLABELLED, Clip

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Predictions:
    """One model's predictions of labelled clips, each clip once.

    Attributes:
        clip_ids: The clips.
        labels: (clips,) right class.
        predicted: (clips,) class that the model says.
        actors: Who speaks in each clip.
        classes: Number of classes of the task.

    Raises:
        EmorecError: There is no clip, or one is there twice.
        ValueError: Lengths differ, or a label or prediction is no class index.
    """

    clip_ids: list[str]
    labels: Integers
    predicted: Integers
    actors: list[str]
    classes: int

    def __post_init__(self) -> None:
        lengths = [len(self.clip_ids), len(self.labels), len(self.predicted), len(self.actors)]
        if len(set(lengths)) > 1:
            raise ValueError(f"clips, labels, predictions and actors differ in number: {lengths}")
        if not self.clip_ids:
            raise EmorecError(
                "at least one labelled clip", "none", "label the clips of this part for this task"
            )
        for name, values in (("labels", self.labels), ("predictions", self.predicted)):
            if values.dtype.kind not in "iu" or values.min() < 0 or values.max() >= self.classes:
                raise ValueError(f"{name} must be whole numbers from 0 to {self.classes - 1}: {values}")
        clip, times = Counter(self.clip_ids).most_common(1)[0]
        if times > 1:
            raise EmorecError("each clip once", f"{clip} {times} times", "compare one run or seed at a time")

    @classmethod
    def of(cls, part: PartLogits, task: str, clips: Mapping[str, Clip]) -> Predictions:
        """Take the most probable class of one task's labelled clips.

        Args:
            part: Logits of the clips.
            task: The task.
            clips: Clip id -> clip, for its actor.

        Raises:
            EmorecError: No clip is labelled, a logit is not finite, or a clip is there twice.
        """
        logits, labels = labelled(part.logits[task], part.labels[task])
        wanted = (part.labels[task] != UNLABELLED).tolist()
        ids = [clip for clip, keep in zip(part.clip_ids, wanted, strict=True) if keep]
        actors = [clips[clip].actor for clip in ids]
        return cls(ids, labels.numpy(), logits.argmax(dim=-1).numpy(), actors, logits.shape[-1])

    def rows(self, index: Integers) -> Predictions:
        """Take the clips at these positions, in this order."""
        ids, actors = [self.clip_ids[row] for row in index], [self.actors[row] for row in index]
        return Predictions(ids, self.labels[index], self.predicted[index], actors, self.classes)

    def confusions(self) -> Integers:
        """Count clips by actor, class and prediction: (actors, classes, classes), the actors sorted by name."""
        names, actor = np.unique(np.array(self.actors), return_inverse=True)
        counts = np.zeros((len(names), self.classes, self.classes), dtype=np.int64)
        np.add.at(counts, (actor, self.labels, self.predicted), 1)
        return counts

    def in_order_of(self, other: Predictions, names: tuple[str, str]) -> Predictions:
        """The same with the clips in the order of `other`, another model's predictions of them.

        Args:
            other: Predictions of the same clips.
            names: What an error calls the two.

        Raises:
            EmorecError: Clips, labels, actors or the number of classes differ.
        """
        sides, fix = f"for {names[0]} and {names[1]}", "compare models of one corpus, split and part"
        place = {clip: row for row, clip in enumerate(self.clip_ids)}
        if strange := sorted({*place} ^ {*other.clip_ids}):
            found = f"{len(strange)} that only one has, such as {strange[0]}"
            raise EmorecError(f"the same clips {sides}", found, fix)
        if self.classes != other.classes:
            found = f"{self.classes} and {other.classes} of them"
            raise EmorecError(f"the same classes {sides}", found, fix)
        ordered = self.rows(np.array([place[clip] for clip in other.clip_ids]))
        said = (zip(of.labels.tolist(), of.actors, strict=True) for of in (ordered, other))
        for clip, one, two in zip(other.clip_ids, *said, strict=True):
            if one != two:
                found = f"(class, actor) {one} and {two} for {clip}"
                raise EmorecError(f"the same labels and actors {sides}", found, fix)
        return ordered


def scores_of(counts: Array | Integers) -> dict[str, Array]:
    """Accuracy, UAR, macro-F1 and weighted F1, as `metrics.score` defines them, of many models at once.

    Args:
        counts: (..., classes, classes) confusion matrices, true class by prediction, none of them empty.

    Returns:
        Name of the score -> (...).
    """
    counts = np.asarray(counts, dtype=np.float64)
    right = np.diagonal(counts, axis1=-2, axis2=-1)  # (..., classes)
    wanted, said = counts.sum(axis=-1), counts.sum(axis=-2)  # (..., classes)
    clips = wanted.sum(axis=-1)  # (...)
    f1 = _ratio(2 * right, wanted + said)
    return {
        "accuracy": right.sum(axis=-1) / clips,
        "uar": np.nanmean(recalls_of(counts), axis=-1),
        "macro_f1": np.nanmean(f1, axis=-1),
        "weighted_f1": np.nansum(wanted * f1, axis=-1) / clips,
    }


def recalls_of(counts: Array | Integers) -> Array:
    """Recalls of (..., classes, classes) confusion matrices: (..., classes), NaN for classes without clips."""
    counts = np.asarray(counts, dtype=np.float64)
    return _ratio(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1))


def _ratio(above: Array, below: Array) -> Array:
    shares = np.full(above.shape, np.nan)
    np.divide(above, below, out=shares, where=below > 0)
    return shares
