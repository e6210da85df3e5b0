"""The logits of a whole part, in memory and on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from lightning_emorec.atomic_write import whole_file
from lightning_emorec.errors import EmorecError
from lightning_emorec.speaker_scores import SpeakerScores
from lightning_emorec.types import UNLABELLED, Clip, Tasks

OWN = "model"
"""Name of a model that is no fusion among its own branches."""


def save_whole(content: object, path: Path) -> None:
    """`torch.save` in one step: a reader sees the whole file or what was there before.

    Raises:
        OSError: The disk refuses it. torch closes its archive even then, and reports that as a RuntimeError.
    """
    with whole_file(path) as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


@dataclass
class PartLogits:
    """The logits of every clip of one part, each clip once, held on the CPU.

    Attributes:
        clip_ids: The clips, in the order of the part.
        logits: Task name -> (clips, classes) float32.
        labels: Task name -> (clips,) int64, `UNLABELLED` where the clip has no label.
        content: Hash of the clips as they were then (`dataset.content_of`), by which a later run finds out whether the
            logits are still valid; may be empty.
        speakers: Task name -> what adaptation to a speaker takes of each clip; empty of a model that is not adapted in
            what it makes its logits from.
    """

    clip_ids: list[str]
    logits: dict[str, Tensor]
    labels: dict[str, Tensor]
    content: str = ""
    speakers: dict[str, SpeakerScores] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.logits = {task: values.detach().cpu().float() for task, values in self.logits.items()}
        self.labels = {task: values.detach().cpu().long() for task, values in self.labels.items()}
        rows = {len(values) for values in [*self.logits.values(), *self.labels.values()]}
        if self.logits.keys() != self.labels.keys() or rows - {len(self.clip_ids)}:
            raise ValueError(
                f"tasks and lengths must agree: {len(self.clip_ids)} clips, logits of {sorted(self.logits)}, "
                f"labels of {sorted(self.labels)}, {sorted(rows)} rows"
            )

    def save(self, path: Path) -> None:
        """Write to `path`, its folder too, in one step: a reader sees the whole file or none."""
        save_whole(self.to_state(), path)

    def to_state(self) -> dict[str, Any]:
        """Plain values and tensors, which `torch.load(weights_only=True)` reads."""
        kept = {name: getattr(self, name) for name in ("clip_ids", "logits", "labels", "content")}
        if self.speakers:
            kept["speakers"] = {task: of.to_state() for task, of in self.speakers.items()}
        return kept

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Self:
        """What `to_state` gave."""
        speakers = {task: SpeakerScores.of_state(of) for task, of in state.get("speakers", {}).items()}
        return cls(state["clip_ids"], state["logits"], state["labels"], state.get("content", ""), speakers)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote, without running code from the file.

        Raises:
            EmorecError: The file is missing, damaged or something else.
        """
        try:
            return cls.of_state(torch.load(path, weights_only=True))
        except Exception as error:  # damaged bytes can raise nearly anything when they are unpickled
            found = f"{path}, which cannot be read ({type(error).__name__})"
            raise EmorecError("a file of logits", found, "delete it: the next run writes it again") from error

    @classmethod
    def join(cls, parts: Sequence[PartLogits]) -> Self:
        """The clips of several parts, in their order.

        Raises:
            ValueError: A clip is in two of them.
        """
        ids = [clip for part in parts for clip in part.clip_ids]
        if len(set(ids)) != len(ids):
            raise ValueError(f"{len(ids) - len(set(ids))} clips are in two parts")
        return cls(
            ids,
            {task: torch.cat([part.logits[task] for part in parts]) for task in parts[0].logits},
            {task: torch.cat([part.labels[task] for part in parts]) for task in parts[0].labels},
            speakers={
                task: SpeakerScores.join([part.speakers[task] for part in parts])
                for task in parts[0].speakers
            },
        )

    def restricted(self, tasks: Tasks, kept: Tasks) -> PartLogits:
        """The logits of some tasks and classes alone: a softmax of them is renormalised over those that are kept.

        Args:
            tasks: Task name -> its classes, in the order of the logits.
            kept: Some of these, in the order wanted; a label of another class becomes `UNLABELLED`.
        """
        if tasks == kept:
            return self
        logits, labels, speakers = {}, {}, {}
        for task, classes in kept.items():
            columns = torch.tensor([tasks[task].index(one) for one in classes])
            places = torch.full((len(tasks[task]) + 1,), UNLABELLED)  # the last is of clips without a label
            places[columns] = torch.arange(len(columns))
            logits[task] = self.logits[task][:, columns]
            labels[task] = places[self.labels[task].clamp(min=-1)]
            if task in self.speakers:
                speakers[task] = self.speakers[task].classes(columns)
        return PartLogits(self.clip_ids, logits, labels, self.content, speakers)

    def select(self, clip_ids: Sequence[str]) -> PartLogits:
        """Some of the clips, in the order asked for.

        Raises:
            KeyError: A clip is not in the part.
        """
        row = {clip: index for index, clip in enumerate(self.clip_ids)}
        rows = [row[clip] for clip in clip_ids]
        return PartLogits(
            list(clip_ids),
            {task: logits[rows] for task, logits in self.logits.items()},
            {task: labels[rows] for task, labels in self.labels.items()},
            speakers={task: of.rows(rows) for task, of in self.speakers.items()},
        )


@dataclass(frozen=True)
class ValidationLogits:
    """The validation logits that a model's choices rest on, kept in its checkpoint.

    Attributes:
        parts: Branch -> its logits of the validation clips that it takes; of a model that fuses nothing, `OWN` -> its.
        actors: Clip -> actor.
        before_refit: The model has since been trained on these clips; the logits are those of the one before.
    """

    parts: dict[str, PartLogits]
    actors: dict[str, str]
    before_refit: bool = False

    @classmethod
    def of(cls, parts: dict[str, PartLogits], clips: Iterable[Clip], before_refit: bool = False) -> Self:
        """With the actors of those of the clips that have logits."""
        judged = {clip for part in parts.values() for clip in part.clip_ids}
        return cls(parts, {clip.id: clip.actor for clip in clips if clip.id in judged}, before_refit)

    def to_state(self) -> dict[str, Any]:
        """Plain values and tensors, which `torch.load(weights_only=True)` reads."""
        parts = {name: part.to_state() for name, part in self.parts.items()}
        return {"parts": parts, "actors": self.actors, "before_refit": self.before_refit}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Self:
        """What `to_state` gave; none of an empty mapping."""
        parts = {name: PartLogits.of_state(part) for name, part in state.get("parts", {}).items()}
        return cls(parts, dict(state.get("actors", {})), bool(state.get("before_refit", False)))
