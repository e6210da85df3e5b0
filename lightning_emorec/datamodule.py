"""From a corpus and a split to batches."""

from __future__ import annotations

import logging
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import torch
from audiomentations.core.transforms_interface import BaseWaveformTransform
from lightning.pytorch import LightningDataModule
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_emorec.audio import AudioStore, default_cache_folder, paths_of, tell_skipped, with_audio
from lightning_emorec.corpora import Corpus
from lightning_emorec.dataset import (
    ClipDataset,
    DrawSampler,
    FrontEnd,
    Sample,
    TrainingView,
    class_balance,
    collate_with,
)
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import (
    Feature,
    FeatureCache,
    FeatureReader,
    LazyValues,
    limit_cores,
    wait_for_ranks,
)
from lightning_emorec.splits import Parts, Split, check_classes
from lightning_emorec.types import Clip, Part, Tasks

if TYPE_CHECKING:
    from lightning_emorec.branches import Branch

log = logging.getLogger(__name__)

FEATURE_RATE_HZ = 16000  # what Whisper and openSMILE were made for, whatever rate the branch hears


class EmotionDataModule(LightningDataModule):
    """Decodes, augments and batches the clips of a corpus, parted by actor.

    Args:
        corpus: Where the clips come from.
        split: Which actors are in which part.
        augment: audiomentations transforms of training clips, drawn anew in each epoch.
        rate_hz: Sampling rate that branches hear.
        trim_db: Cut silence at both ends, this far below the loudest frame; null keeps it.
        peak_normalise: Scale each clip to a peak of 1; loudness carries emotion, so not by default.
        max_s: Longer clips are cut to their middle.
        crop_s: Length of a random crop of each training clip; null takes it whole.
        batch_size: Clips a batch, on each rank.
        balance: `classes` draws training clips so that each class of the first task is as frequent.
        workers: Processes that decode and augment; the result does not depend on their number.
        cache: Folder of decoded audio and features; null means $EMOREC_CACHE or the user's cache folder.
        on_error: What to do with a clip whose audio is missing, cut short or no audio: `error` tells it and stops,
            `skip` leaves it out, counts it and tells it in the results.
        seed: The run's seed; linked to `seed_everything`.

    Raises:
        EmorecError: An argument out of range.
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
                raise EmorecError(f"a positive data.{knob}", f"{value}", f"mend data.{knob}")
        if crop_s is not None and crop_s <= 0:
            raise EmorecError("a positive data.crop_s, or null", f"{crop_s}", "mend data.crop_s")
        self.corpus = corpus
        self.split = split
        self.front_end = FrontEnd(rate_hz, trim_db, peak_normalise, max_s)
        self.view = TrainingView(augment or [], crop_s, seed)
        self.batch_size = batch_size
        self.balance = balance
        self.workers = workers
        self.seed = seed
        self.cache = Path(cache) if cache else default_cache_folder()
        self.audio = AudioStore(self.cache, rate_hz)
        self.on_error = on_error
        self.skipped: dict[str, str] = {}  # clip id -> what is wrong with its audio
        self.prepared_s = 0.0  # spent by `prepare_data`
        self._complete = False  # features that the ranks compute together
        self._parts: Parts | None = None

    @property
    def tasks(self) -> Tasks:
        """Task name -> class names, from the corpus; the one fact that is linked to the model."""
        return self.corpus.tasks

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
        errors = self.audio.unusable(paths_of(with_audio(clips)), verify=False)
        self.skipped = {clip.id: errors[clip.path].found for clip in clips if clip.path in errors}
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
        model = self._model()
        clips = self.clips(part)
        return with_audio(clips) if model and model.needs_audio else clips

    def class_counts(self, part: Part, task: str) -> list[int]:
        """Number of usable clips of each class."""
        counts = Counter(clip.labels.get(task) for clip in self.usable(part))
        return [counts[name] for name in self.tasks[task]]

    def prepare_data(self) -> None:
        """Fetch the corpus, decode its audio once, and compute the features the model needs. One process a machine.

        Of several processes each computes its share of the features, in `setup`.
        """
        start = time.monotonic()
        self.corpus.prepare()
        clips = self.parts.clips
        if self._hears() != "nothing":
            self.audio.prepare(paths_of(with_audio(clips)))
        if not self._shared:
            self._read(self._features()).fill(clips)
        self.prepared_s += time.monotonic() - start

    def setup(self, stage: str) -> None:
        """Compute, together with the other ranks, the features the model needs.

        First each computes its share of all. What machines without a common cache folder then lack, the ranks of
        each machine share among themselves.
        """
        trainer = self.trainer
        if trainer is None or not self._shared or self._complete:
            return
        if any(feature.from_audio for feature in self._features()):
            start = time.monotonic()
            limit_cores(trainer.num_devices)
            for share in (
                (trainer.global_rank, trainer.world_size),
                (trainer.local_rank, trainer.num_devices),
            ):
                self._read(self._features()).fill(self.parts.clips, share)
                wait_for_ranks()
            self.prepared_s += time.monotonic() - start
        self._complete = True

    def lacks(self, features: list[Feature]) -> bool:
        """Whether some of these features are yet to be computed."""
        return self._read(features).lacks(self.parts.clips)

    def training_features(self) -> dict[str, LazyValues]:
        """Feature key -> the values of all usable training clips, read one by one as they are asked for."""
        reader, clips = self._reader("train"), self.usable("train")
        return {key: LazyValues(reader, key, clips) for key in reader.features}

    def train_dataloader(self) -> DataLoader[Sample]:
        """Batches of training clips, augmented if the model hears augmented audio."""
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
        hears = self._hears()
        clips = self.usable(part)
        if hears != "nothing":  # known here, so that each worker need not ask the index on disk
            self.audio.digests(paths_of(with_audio(clips)))
        places = {clip.id: place for place, clip in enumerate(self.clips(part))}
        dataset = ClipDataset(
            clips,
            [places[clip.id] for clip in clips],
            self.tasks,
            self.audio if hears != "nothing" else None,
            self.front_end,
            self.view if training and hears == "augmented" else None,
            self._reader(part),
        )
        trainer = self.trainer
        if training and trainer and trainer.world_size > 1 and trainer.is_global_zero:
            each, ranks = self.batch_size, trainer.world_size
            log.info(
                "a step takes %d clips, %d on each of %d ranks; lr is as given", each * ranks, each, ranks
            )
        sampler = DrawSampler(
            clips=len(dataset),
            weights=weights,
            shuffle=training,
            seed=self.seed,
            replicas=trainer.world_size if trainer else 1,
            rank=trainer.global_rank if trainer else 0,
        )
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=self.workers,
            persistent_workers=training and self.workers > 0,
            pin_memory=trainer is not None and trainer.strategy.root_device.type == "cuda",
            collate_fn=collate_with(self._features()),
            # Workers get their own generator: a loader that draws from torch's would shift the model's draws.
            generator=torch.Generator().manual_seed(self.seed),
        )

    def _reader(self, part: Part) -> FeatureReader:
        reader = self._read(self._features())
        reader.index(self.clips(part))
        return reader

    def _read(self, features: list[Feature]) -> FeatureReader:
        return FeatureReader(FeatureCache(self.cache), features, self.audio.at(FEATURE_RATE_HZ))

    @property
    def _shared(self) -> bool:
        return self.trainer is not None and self.trainer.world_size > 1

    def _model(self) -> Branch | None:
        return cast("Branch", self.trainer.lightning_module) if self.trainer else None

    def _features(self) -> list[Feature]:
        model = self._model()
        return model.features if model else []

    def _hears(self) -> Literal["augmented", "plain", "nothing"]:
        model = self._model()
        return model.hears if model else "augmented"
