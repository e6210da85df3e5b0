"""From a corpus and a split to batches."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal, cast

import torch
from audiomentations.core.transforms_interface import BaseWaveformTransform
from lightning.pytorch import LightningDataModule
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_emorec.audio import (
    AudioStore,
    Counts,
    FrontEnd,
    default_cache_folder,
    sound_of,
    sounds_of,
    tell_skipped,
    with_audio,
)
from lightning_emorec.corpora import Corpus
from lightning_emorec.dataset import (
    ClipDataset,
    DrawSampler,
    Sample,
    TrainingView,
    audio_of,
    class_balance,
    collate_with,
)
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Feature, FeatureCache, FeatureReader, LazyValues, shares_of
from lightning_emorec.splits import Parts, Split, check_classes
from lightning_emorec.training_data import HasNeeds, ModelNeeds, TrainingData
from lightning_emorec.types import Clip, Part, Tasks

log = logging.getLogger(__name__)

FEATURE_RATE_HZ = 16000  # what Whisper and openSMILE were made for, whatever the rate of the audio input is


class EmotionDataModule(LightningDataModule):
    """Decodes, augments and batches the clips of a corpus, parted by actor.

    Args:
        corpus: Where the clips come from.
        split: Which actors are in which part.
        augment: audiomentations transforms of training clips, drawn anew in each epoch.
        rate_hz: Sampling rate of the audio input.
        trim_db: Cut silence at both ends, this far below the loudest frame; null keeps it.
        peak_normalise: Scale each clip to a peak of 1; loudness carries emotion, so not by default.
        max_s: Longer clips are cut to their middle.
        channel: The channel to take of every file, from 0; null takes the centre of 5.1 and 7.1, else the mean of the
            channels that are not silent.
        crop_s: Length of a random crop of each training clip; null takes it whole.
        batch_size: Clips a batch, on each rank.
        balance: `classes` draws training clips so that each class of the first task is as frequent.
        workers: Processes that decode and augment; the result does not depend on their number.
        cache: Folder of decoded audio and features; null means $EMOREC_CACHE or the user's cache folder.
        on_error: What to do with a clip whose audio is missing, cut short or no audio: `error` names it and stops,
            `skip` leaves it out, counts it and lists it in the results.
        seed: The run's seed; linked to `seed_everything`.
    """

    def __init__(
        self,
        corpus: Corpus,
        split: Split,
        augment: list[BaseWaveformTransform] | None = None,
        rate_hz: int = 16000,
        trim_db: float | None = None,
        peak_normalise: bool = False,
        max_s: float = 15.0,
        channel: int | None = None,
        crop_s: float | None = None,
        batch_size: int = 32,
        balance: Literal["none", "classes"] = "none",
        workers: int = 0,
        cache: str | None = None,
        on_error: Literal["error", "skip"] = "error",
        seed: int = 1,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False, ignore=["corpus", "split", "augment", "cache"])
        for knob, value in {"rate_hz": rate_hz, "max_s": max_s, "batch_size": batch_size}.items():
            if value <= 0:
                raise EmorecError(f"a positive data.{knob}", f"{value}", f"set data.{knob}")
        if crop_s is not None and crop_s <= 0:
            raise EmorecError("a positive data.crop_s, or null", f"{crop_s}", "set data.crop_s")
        self.corpus = corpus
        self.split = split
        self.front_end = FrontEnd(rate_hz, trim_db, peak_normalise, max_s, channel)
        self.view = TrainingView(augment or [], crop_s, seed)
        self.batch_size = batch_size
        self.balance = balance
        self.workers = workers
        self.seed = seed
        self.cache = Path(cache) if cache else default_cache_folder()
        self.audio = AudioStore(self.cache, rate_hz, channel)
        self.on_error = on_error
        self.skipped: dict[str, str] = {}  # clip id -> what is wrong with its audio
        self.counts: Counts | None = None  # what was found in the audio that the model takes
        self.prepared_s = 0.0  # spent by `prepare_data`
        self._complete = False  # features that the ranks compute together
        self._needs: ModelNeeds | None = None
        self._parts: Parts | None = None

    @property
    def tasks(self) -> Tasks:
        """Task name -> class names, from the corpus; the one fact that is linked to the model."""
        return self.corpus.tasks

    @property
    def needs(self) -> ModelNeeds:
        """What the model takes of each clip: as it was set, else as the trainer's model says."""
        if self._needs is None and self.trainer is not None:
            return cast("HasNeeds", self.trainer.lightning_module).needs
        return self._needs or ModelNeeds()

    @needs.setter
    def needs(self, needs: ModelNeeds) -> None:
        self._needs = needs

    @property
    def parts(self) -> Parts:
        """The clips of each part; lists the corpus once."""
        if self._parts is None:
            self._parts = self.split.parts(self.listed())
            check_classes(self._parts, self.tasks)
        return self._parts

    def listed(self) -> list[Clip]:
        """The clips of the corpus, without those that `on_error: skip` leaves out."""
        clips = self.corpus.clips()
        if self.on_error == "error":
            return clips
        errors = self.audio.unusable(sounds_of(with_audio(clips)))
        sounds = {clip.id: sound_of(clip) for clip in clips}
        self.skipped = {clip: errors[sound].found for clip, sound in sounds.items() if sound in errors}
        for warning in self.warnings:
            log.warning("%s", warning)
        return [clip for clip in clips if clip.id not in self.skipped]

    @property
    def warnings(self) -> list[str]:
        """What a reader of the figures must know of the clips that were left out."""
        return tell_skipped(self.skipped)

    def clips(self, part: Part) -> list[Clip]:
        """The clips of a part, in the order that `Batch.index` counts."""
        return cast("list[Clip]", getattr(self.parts, part))

    def usable(self, part: Part) -> list[Clip]:
        """Those clips of a part that the model can take: a model that needs audio skips those without."""
        return with_audio(self.clips(part)) if self.needs.needs_audio else self.clips(part)

    def prepare_data(self) -> None:
        """Fetch the corpus, decode its audio once, and compute the features the model needs. One process a machine.

        Of several processes each computes its share of the features, in `setup`.
        """
        start = time.monotonic()
        self.corpus.prepare()
        clips = self.parts.clips
        if self.needs.audio_input != "none":
            self.audio.prepare(sounds_of(with_audio(clips)))
        if not self._shared:
            self._read(self.needs.features).fill(clips)
        reads = any(feature.from_audio for feature in self.needs.features) and not self._shared
        if self.counts is None and self.needs.audio_input != "none":
            self.counts = Counts.of(self.audio, clips, self.front_end.max_s)
        elif self.counts is None and reads:  # which several processes have yet to decode
            self.counts = Counts.of(self.audio.at(FEATURE_RATE_HZ), clips, None)
        self.prepared_s += time.monotonic() - start

    def setup(self, stage: str) -> None:
        """Compute, together with the other ranks, the features the model needs.

        First each computes its share of all. What machines without a common cache folder then lack, the ranks of
        each machine share among themselves.
        """
        trainer = self.trainer
        if trainer is None or not self._shared or self._complete:
            return
        if any(feature.from_audio for feature in self.needs.features):
            start = time.monotonic()
            for share in shares_of(trainer):
                self._read(self.needs.features).fill(self.parts.clips, share)
            self.prepared_s += time.monotonic() - start
        self._complete = True

    def lacks(self, features: Sequence[Feature]) -> bool:
        """Whether some of these features are yet to be computed."""
        return self._read(features).lacks(self.parts.clips)

    def training_data(self) -> TrainingData:
        """What a model may learn from before its first step; audio and features are read as they are asked for."""
        reader, clips = self._reader("train"), self.usable("train")
        features = {key: LazyValues(reader, key, clips) for key in reader.features}
        plain, augmented = (
            partial(audio_of, store=self.audio, front_end=self.front_end, view=view)
            for view in (None, self.view)
        )
        return TrainingData(clips, self.tasks, features, plain, augmented)

    def train_dataloader(self) -> DataLoader[Sample]:
        """Batches of training clips, augmented if the model takes augmented audio."""
        weights = class_balance(self.usable("train"), self.tasks) if self.balance == "classes" else None
        return self._loader("train", training=True, weights=weights)

    def predict_dataloader(self) -> DataLoader[Sample]:
        """Batches of training clips, as they are: how well the model fits what it learned from."""
        return self._loader("train")

    def val_dataloader(self) -> DataLoader[Sample] | list[DataLoader[Sample]]:
        """Batches of validation clips, as they are; in a `fit` without any, no loader at all.

        Raises:
            EmorecError: There are none, and they are what was asked for.
        """
        if self.parts.val:
            return self._loader("val")
        if self.trainer and self.trainer.state.fn == TrainerFn.VALIDATING:
            raise EmorecError("clips of validation actors", "none", "choose another data.split")
        return []

    def test_dataloader(self) -> DataLoader[Sample]:
        """Batches of test clips, as they are.

        Raises:
            EmorecError: Some test actors are absent.
        """
        if not self.parts.test:
            absent = ", ".join(self.parts.absent_test_actors) or "all"
            raise EmorecError(
                "the clips of every test actor",
                f"none of the actors {absent}",
                "add them, or choose another data.split",
            )
        return self._loader("test")

    def _loader(
        self, part: Part, training: bool = False, weights: Tensor | None = None
    ) -> DataLoader[Sample]:
        audio_input = self.needs.audio_input
        clips = self.usable(part)
        if audio_input != "none":  # known here, so that each worker need not ask the index on disk
            self.audio.digests(sounds_of(with_audio(clips)))
        places = {clip.id: place for place, clip in enumerate(self.clips(part))}
        dataset = ClipDataset(
            clips,
            [places[clip.id] for clip in clips],
            self.tasks,
            self.audio if audio_input != "none" else None,
            self.front_end,
            self.view if training and audio_input == "augmented" else None,
            self._reader(part),
        )
        trainer = self.trainer
        sampler = DrawSampler.of(trainer, len(dataset), weights, training, self.seed)
        if training and trainer and trainer.world_size > 1 and trainer.is_global_zero:
            each, ranks = self.batch_size, trainer.world_size
            log.info(
                "a step takes %d clips, %d on each of %d ranks; lr is as given", each * ranks, each, ranks
            )
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=self.workers,
            persistent_workers=training and self.workers > 0,
            pin_memory=trainer is not None and trainer.strategy.root_device.type == "cuda",
            collate_fn=collate_with(self.needs.features),
            # Workers get their own generator: a loader that draws from torch's would shift the model's draws.
            generator=torch.Generator().manual_seed(self.seed),
        )

    def _reader(self, part: Part) -> FeatureReader:
        reader = self._read(self.needs.features)
        reader.index(self.clips(part))
        return reader

    def _read(self, features: Sequence[Feature]) -> FeatureReader:
        return FeatureReader(FeatureCache(self.cache), features, self.audio.at(FEATURE_RATE_HZ))

    @property
    def _shared(self) -> bool:
        return self.trainer is not None and self.trainer.world_size > 1
