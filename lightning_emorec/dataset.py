"""Clips of one part as samples, the order they are drawn in, and how they become a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from audiomentations.core.transforms_interface import BaseWaveformTransform
from lightning.pytorch import Trainer
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler

from lightning_emorec.audio import AudioStore, FrontEnd, random_crop, sound_of, sounds_of, with_audio
from lightning_emorec.augment import augment, draw_seed
from lightning_emorec.features import Feature, Value
from lightning_emorec.hashing import short_hash
from lightning_emorec.types import UNLABELLED, Batch, Clip, Tasks

Draw = tuple[int, int]
"""(position of a clip in its part, epoch): all that the randomness of a sample depends on, beside the run's seed."""


@dataclass(frozen=True)
class TrainingView:
    """What is done to a training clip's audio on top of the front end, drawn anew in each epoch.

    Attributes:
        transforms: audiomentations transforms, in order.
        crop_s: Length of a random crop; None takes the whole clip.
        seed: The run's seed.
    """

    transforms: Sequence[BaseWaveformTransform]
    crop_s: float | None
    seed: int

    def __call__(
        self, audio: NDArray[np.float32], rate_hz: int, clip_id: str, epoch: int
    ) -> NDArray[np.float32]:
        """The view of a clip in an epoch: the same in any process and for any number of workers."""
        seed = draw_seed(self.seed, epoch, clip_id)
        if self.transforms:
            audio = augment(audio, self.transforms, rate_hz, seed)
        if self.crop_s is not None:
            audio = random_crop(audio, round(self.crop_s * rate_hz), np.random.default_rng(seed))
        return audio


@dataclass(frozen=True)
class Sample:
    """One clip, decoded."""

    clip: Clip
    index: int
    audio: NDArray[np.float32]
    labels: dict[str, int]
    features: dict[str, Value] = field(default_factory=dict)


class ClipDataset(Dataset[Sample]):
    """The clips of one part.

    Args:
        clips: In the part's order.
        places: Where each of them is in its part; a part may hold more, which the model cannot take.
        tasks: Task name -> class names.
        audio: Store of decoded audio, or None for a model without audio input.
        front_end: Applied to every clip.
        view: Applied to training clips; None for validation and test.
        read_features: Clip -> feature key -> value.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        places: Sequence[int],
        tasks: Tasks,
        audio: AudioStore | None,
        front_end: FrontEnd,
        view: TrainingView | None,
        read_features: Callable[[Clip], dict[str, Value]],
    ) -> None:
        self.clips = clips
        self.places = places
        self.tasks = tasks
        self.audio = audio
        self.front_end = front_end
        self.view = view
        self.read_features = read_features

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, draw: Draw) -> Sample:
        """The clip at `draw[0]`, as it is seen in epoch `draw[1]`."""
        index, epoch = draw
        clip = self.clips[index]
        return Sample(
            clip,
            self.places[index],
            audio_of(clip, self.audio, self.front_end, self.view, epoch),
            labels(clip, self.tasks),
            self.read_features(clip),
        )


def audio_of(
    clip: Clip, store: AudioStore | None, front_end: FrontEnd, view: TrainingView | None, epoch: int = 0
) -> NDArray[np.float32]:
    """(time,) audio of a clip in an epoch; empty without a store or a recording."""
    sound = sound_of(clip)
    if store is None or sound is None:
        return np.zeros(0, dtype=np.float32)
    audio = front_end(store.load(sound))
    return audio if view is None else view(audio, front_end.rate_hz, clip.id, epoch)


def labels(clip: Clip, tasks: Tasks) -> dict[str, int]:
    """Task -> position of the clip's class, `UNLABELLED` where it has none."""
    return {
        task: classes.index(clip.labels[task]) if task in clip.labels else UNLABELLED
        for task, classes in tasks.items()
    }


def content_of(clips: Sequence[Clip], audio: AudioStore, tasks: Tasks) -> str:
    """A short hash of all that can be learned from clips, or that a model is judged by on them.

    Args:
        clips: In any order: ids, actors, labels, texts and the bytes of their recordings count.
        audio: Knows the digests of recordings.
        tasks: Tasks and classes, in the order that logits have them.
    """
    audible = with_audio(clips)
    digests = dict(zip((clip.id for clip in audible), audio.digests(sounds_of(audible)), strict=True))
    rows = sorted(
        [
            clip.id,
            clip.actor,
            sorted(clip.labels.items()),
            clip.text or "",
            digests.get(clip.id, ""),
        ]
        for clip in clips
    )
    return short_hash([[*tasks.items()], rows])


def class_balance(clips: Sequence[Clip], tasks: Tasks) -> Tensor:
    """(clips,) chances to be drawn that make each class of the first task as frequent; 0 where it is unlabelled."""
    task = next(iter(tasks))
    classes = torch.tensor([labels(clip, tasks)[task] for clip in clips])
    counts = classes[classes >= 0].bincount(minlength=len(tasks[task])).clamp(min=1)
    return torch.where(classes >= 0, 1 / counts[classes.clamp(min=0)].double(), 0.0)


class DrawSampler(DistributedSampler[Draw]):
    """Which clips a rank sees in an epoch, each with the epoch that its augmentation is drawn for.

    A `DistributedSampler` even in one process: Lightning then leaves it in place and sets its epoch.
    Ranks get equal numbers of clips, some twice where they do not divide; the collector drops the repeats.

    Args:
        clips: Number of clips in the part.
        weights: (clips,) probability of each clip, drawn with replacement; None visits each clip once.
        shuffle: A new order in each epoch.
        seed: The run's seed.
        replicas: Number of ranks.
        rank: This rank.
    """

    def __init__(
        self, clips: int, weights: Tensor | None, shuffle: bool, seed: int, replicas: int, rank: int
    ) -> None:
        super().__init__(range(clips), num_replicas=replicas, rank=rank, shuffle=shuffle, seed=seed)  # type: ignore[arg-type]
        self.weights = weights

    @classmethod
    def of(
        cls, trainer: Trainer | None, clips: int, weights: Tensor | None, shuffle: bool, seed: int
    ) -> DrawSampler:
        """For the rank of a trainer, or for one process without."""
        replicas, rank = (trainer.world_size, trainer.global_rank) if trainer else (1, 0)
        return cls(clips, weights, shuffle, seed, replicas, rank)

    def __iter__(self) -> Iterator[Draw]:
        generator = torch.Generator().manual_seed(draw_seed(self.seed, self.epoch, "order") % 2**63)
        clips = len(self.dataset)  # type: ignore[arg-type]
        if self.weights is not None:
            order = torch.multinomial(self.weights, clips, replacement=True, generator=generator).tolist()
        elif self.shuffle:
            order = torch.randperm(clips, generator=generator).tolist()
        else:
            order = list(range(clips))
        order = [order[i % clips] for i in range(self.total_size)]  # whole rounds for every rank
        return iter([(index, self.epoch) for index in order[self.rank :: self.num_replicas]])


def collate(samples: Sequence[Sample], features: Mapping[str, Feature]) -> Batch:
    """Pad audio with zeros to the longest clip: (batch, time)."""
    longest = max(1, *(len(sample.audio) for sample in samples))
    audio = torch.zeros(len(samples), longest)
    for row, sample in zip(audio, samples, strict=True):
        row[: len(sample.audio)] = torch.from_numpy(sample.audio)
    return Batch(
        clip_ids=[sample.clip.id for sample in samples],
        index=torch.tensor([sample.index for sample in samples]),
        audio=audio,
        lengths=torch.tensor([len(sample.audio) for sample in samples]),
        labels={task: torch.tensor([s.labels[task] for s in samples]) for task in samples[0].labels},
        features={
            key: _collate(key, feature, samples)
            for key, feature in features.items()
            if any(key in sample.features for sample in samples)
        },
        has_audio=torch.tensor([sample.clip.path is not None for sample in samples]),
        actors=[sample.clip.actor for sample in samples],
    )


def _collate(key: str, feature: Feature, samples: Sequence[Sample]) -> Tensor | list[str]:
    """A feature of the samples that have it, and zeros or an empty text for those that lack its audio."""
    rows = [row for row, sample in enumerate(samples) if key in sample.features]
    known = feature.collate([samples[row].features[key] for row in rows])
    if len(rows) == len(samples):
        return known
    if isinstance(known, Tensor):
        return known.new_zeros(len(samples), *known.shape[1:]).index_copy(0, torch.tensor(rows), known)
    texts = dict(zip(rows, known, strict=True))
    return [texts.get(row, "") for row in range(len(samples))]


def collate_with(features: Sequence[Feature]) -> Callable[[Sequence[Sample]], Batch]:
    """A collate function that a loader's worker can be sent."""
    return partial(collate, features={feature.key: feature for feature in features})
