"""What passes between the stages: clips, batches and logits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Part = Literal["train", "val", "test"]

AudioInput = Literal["none", "plain", "augmented"]
"""What a model takes of the audio: nothing, all clips as they are, or training clips augmented."""

Tasks = dict[str, list[str]]
"""Task name -> its class names in logit order. The first task is the one that a run is judged by."""

Logits = dict[str, "Tensor"]
"""Task name -> (batch, classes) unnormalised log-probabilities."""

UNLABELLED = -100
"""Label of a clip that a task does not label: torch's cross-entropy ignores it."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording of one actor, or a segment of one, as a corpus describes it, before anything is decoded.

    Attributes:
        id: Unique within the corpus.
        actor: The speaker; no actor is ever in two parts of a split. Empty where nobody knows: such a clip can be
            recognised, but not split.
        path: The audio file, or None where a corpus has only text.
        labels: Task name -> class name; a task that is absent is unlabelled for this clip.
        text: The spoken words according to the corpus, or None.
        part: The part a corpus publishes this clip in, or None.
        start: Where in the file a segment begins, in seconds; None where the clip is the whole file.
        end: Where it ends, in seconds; None is the end of the file.
    """

    id: str
    actor: str
    path: Path | None
    labels: dict[str, str] = field(default_factory=dict)
    text: str | None = None
    part: Part | None = None
    start: float | None = None
    end: float | None = None


@dataclass
class Batch:
    """Clips on their way through a branch. Mutable, because Lightning moves it between devices in place.

    Attributes:
        clip_ids: The clips, in order.
        index: (batch,) int64, position of each clip in its part; evaluation drops repeats by it.
        audio: (batch, time) float32, zero after each clip's end.
        lengths: (batch,) int64, samples of `audio` that are the clip's own.
        labels: Task name -> (batch,) int64; `UNLABELLED` where the clip has no label.
        features: Feature key -> what `Feature.collate` made of the clips' values; zeros or an empty text for a
            clip that lacks the audio it is made from.
        has_audio: (batch,) bool; None where every clip has audio, or where that makes no difference.
        actors: Who speaks, in order; empty where that is not known.
    """

    clip_ids: list[str]
    index: Tensor
    audio: Tensor
    lengths: Tensor
    labels: dict[str, Tensor]
    features: dict[str, Tensor | list[str]] = field(default_factory=dict)
    has_audio: Tensor | None = None
    actors: list[str] = field(default_factory=list)

    def pin_memory(self) -> Batch:
        """The same in page-locked memory, from which a GPU fetches while it computes; PyTorch's loader calls it."""
        return replace(
            self,
            index=self.index.pin_memory(),
            audio=self.audio.pin_memory(),
            lengths=self.lengths.pin_memory(),
            labels={task: values.pin_memory() for task, values in self.labels.items()},
            features={
                key: values if isinstance(values, list) else values.pin_memory()
                for key, values in self.features.items()
            },
            has_audio=None if self.has_audio is None else self.has_audio.pin_memory(),
        )

    def select(self, kept: Tensor) -> Batch:
        """Those clips of the batch for which `kept`, (batch,) bool, is true."""
        rows = kept.nonzero().flatten().tolist()
        return Batch(
            clip_ids=[self.clip_ids[row] for row in rows],
            index=self.index[rows],
            audio=self.audio[rows],
            lengths=self.lengths[rows],
            labels={task: values[rows] for task, values in self.labels.items()},
            features={
                key: [values[row] for row in rows] if isinstance(values, list) else values[rows]
                for key, values in self.features.items()
            },
            has_audio=None if self.has_audio is None else self.has_audio[rows],
            actors=[self.actors[row] for row in rows] if self.actors else [],
        )
