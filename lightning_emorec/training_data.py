"""What a model and its data know of each other: what the model takes of a clip, and what it learns from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.dataset import labels
from lightning_emorec.features import Feature, Value
from lightning_emorec.types import UNLABELLED, AudioInput, Clip, Tasks


@dataclass(frozen=True)
class ModelNeeds:
    """What a model takes of each clip; the data prepares nothing else.

    Attributes:
        features: In `Batch.features`.
        audio_input: In `Batch.audio`: training clips augmented, all clips as they are, or no audio.
        needs_audio: Leave out clips without audio.
    """

    features: Sequence[Feature] = ()
    audio_input: AudioInput = "augmented"
    needs_audio: bool = False


class HasNeeds(Protocol):
    """A model."""

    @property
    def needs(self) -> ModelNeeds:
        """What it takes of each clip."""


@dataclass(frozen=True)
class LabelledClips:
    """The training clips that one task labels.

    Attributes:
        places: (clips,) position of each in `TrainingData.clips`.
        labels: (clips,) class indices.
        actors: (clips,) who speaks.
        classes: Number of classes of the task.
    """

    places: NDArray[np.intp]
    labels: NDArray[np.int64]
    actors: NDArray[np.str_]
    classes: int


def _no_audio(clip: Clip) -> NDArray[np.float32]:
    raise LookupError(f"no audio was given for {clip.id}")


@dataclass(frozen=True)
class TrainingData:
    """All that a model may learn from before its first step.

    Attributes:
        clips: The training clips that the model can take.
        tasks: Task name -> class names.
        features: Feature key -> the values of all clips, in order.
        plain_audio: Clip -> (time,) audio as validation has it.
        augmented_audio: Clip -> (time,) audio as the first epoch has it.
    """

    clips: Sequence[Clip]
    tasks: Tasks
    features: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    plain_audio: Callable[[Clip], NDArray[np.float32]] = _no_audio
    augmented_audio: Callable[[Clip], NDArray[np.float32]] = _no_audio

    def collated(self, feature: Feature) -> Any:
        """The values of all clips, as a batch has them."""
        return feature.collate(self.features[feature.key])

    def class_counts(self, task: str) -> list[int]:
        """Number of clips of each class."""
        counts = Counter(clip.labels.get(task) for clip in self.clips)
        return [counts[name] for name in self.tasks[task]]

    def labelled(self, task: str) -> LabelledClips:
        """The clips that a task labels."""
        found = np.array([labels(clip, self.tasks)[task] for clip in self.clips])
        places = np.flatnonzero(found != UNLABELLED)
        actors = np.array([clip.actor for clip in self.clips])
        return LabelledClips(places, found[places], actors[places], len(self.tasks[task]))
