"""Predicted class, right class and actor of each clip: the input of scores, intervals and paired tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.errors import EmorecError
from lightning_emorec.metrics import Array, Integers, labelled
from lightning_emorec.types import UNLABELLED, Clip

if TYPE_CHECKING:
    from lightning_emorec.part_logits import PartLogits


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of one model and task for the labelled clips, each clip once.

    Attributes:
        clip_ids: The clips.
        labels: (clips,) right class.
        predicted: (clips,) most probable class.
        probabilities: (clips, classes).
        actors: Actor of each clip.
        classes: Names of the classes.

    Raises:
        EmorecError: There is no clip, or a duplicate.
    """

    clip_ids: list[str]
    labels: Integers
    predicted: Integers
    probabilities: Array
    actors: list[str]
    classes: list[str]

    def __post_init__(self) -> None:
        columns = (self.clip_ids, self.labels, self.predicted, self.probabilities, self.actors)
        lengths = [len(column) for column in columns]
        if len(set(lengths)) > 1:
            raise ValueError(
                f"clips, labels, predictions, probabilities and actors differ in number: {lengths}"
            )
        if not self.clip_ids:
            raise EmorecError(
                "at least one labelled clip", "none", "label the clips of this part for this task"
            )
        last = len(self.classes) - 1
        for name, values in (("labels", self.labels), ("predictions", self.predicted)):
            if values.dtype.kind not in "iu" or values.min() < 0 or values.max() > last:
                raise ValueError(f"{name} must be whole numbers from 0 to {last}: {values}")
        clip, times = Counter(self.clip_ids).most_common(1)[0]
        if times > 1:
            raise EmorecError("each clip once", f"{clip} {times} times", "compare one run or seed at a time")

    @classmethod
    def of(cls, part: PartLogits, task: str, classes: list[str], clips: Mapping[str, Clip]) -> Predictions:
        """Take the most probable class of the labelled clips of a task; `clips` (by id) have the actors."""
        logits, labels = labelled(part.logits[task], part.labels[task])
        kept = (part.labels[task] != UNLABELLED).tolist()
        ids = [clip for clip, keep in zip(part.clip_ids, kept, strict=True) if keep]
        return cls(
            ids,
            labels.numpy(),
            logits.argmax(dim=-1).numpy(),
            logits.softmax(dim=-1).numpy(),
            [clips[clip].actor for clip in ids],
            classes,
        )

    @property
    def right(self) -> NDArray[np.bool_]:
        """(clips,) bool."""
        return np.equal(self.labels, self.predicted)

    @property
    def confidence(self) -> Array:
        """(clips,) probability of the predicted class."""
        return np.take_along_axis(self.probabilities, self.predicted[:, None], axis=1)[:, 0]

    def rows(self, index: Integers) -> Predictions:
        """Take the clips at these positions, in this order."""
        return Predictions(
            [self.clip_ids[row] for row in index],
            self.labels[index],
            self.predicted[index],
            self.probabilities[index],
            [self.actors[row] for row in index],
            self.classes,
        )

    def on(self, clips: Collection[str]) -> Predictions:
        """Take these clips, in their present order."""
        return self.rows(np.flatnonzero([clip in clips for clip in self.clip_ids]))

    def confusions(self) -> Integers:
        """Count clips by actor, class and prediction: (actors, classes, classes), the actors sorted by name."""
        names, actor = np.unique(np.array(self.actors), return_inverse=True)
        counts = np.zeros((len(names), len(self.classes), len(self.classes)), dtype=np.int64)
        np.add.at(counts, (actor, self.labels, self.predicted), 1)
        return counts

    def in_order_of(self, other: Predictions, names: tuple[str, str]) -> Predictions:
        """Sort by the order of another model's predictions for the same clips; an error contains the two names.

        Raises:
            EmorecError: Clips, classes, labels or actors differ.
        """
        sides, fix = f"for {names[0]} and {names[1]}", "compare models of one corpus, split, task and part"
        if self.classes != other.classes:
            found = f"{', '.join(self.classes)} and {', '.join(other.classes)}"
            raise EmorecError(f"the same classes {sides}", found, fix)
        place = {clip: row for row, clip in enumerate(self.clip_ids)}
        if unshared := sorted({*place} ^ {*other.clip_ids}):
            found = f"{len(unshared)} that only one has, such as {unshared[0]}"
            raise EmorecError(f"the same clips {sides}", found, fix)
        ordered = self.rows(np.array([place[clip] for clip in other.clip_ids]))
        facts = (zip(of.labels.tolist(), of.actors, strict=True) for of in (ordered, other))
        for clip, one, two in zip(other.clip_ids, *facts, strict=True):
            if one != two:
                found = f"(class, actor) {one} and {two} for {clip}"
                raise EmorecError(f"the same labels and actors {sides}", found, fix)
        return ordered


def shared_clips(models: Collection[Predictions]) -> set[str]:
    """The clips that every model has predicted."""
    return set.intersection(*(set(of.clip_ids) for of in models))
