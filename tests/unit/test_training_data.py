from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lightning_emorec.augment import SpeedPerturb
from lightning_emorec.corpora import ManifestCorpus
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.splits import ActorLists
from lightning_emorec.training_data import TrainingData
from lightning_emorec.types import Clip

TASKS = {"mood": ["up", "down"], "sex": ["female", "male"]}
CLIPS = [
    Clip("a", "1", None, {"mood": "down"}),
    Clip("b", "2", None, {"sex": "male"}),
    Clip("c", "2", None, {"mood": "up", "sex": "male"}),
]


def test_a_task_has_the_clips_that_it_labels() -> None:
    mood = TrainingData(CLIPS, TASKS).labelled("mood")
    assert mood.places.tolist() == [0, 2]
    assert mood.labels.tolist() == [1, 0]
    assert mood.actors.tolist() == ["1", "2"]
    assert mood.classes == 2


def test_classes_are_counted_and_unlabelled_clips_are_not() -> None:
    training = TrainingData(CLIPS, TASKS)
    assert training.class_counts("mood") == [1, 1]
    assert training.class_counts("sex") == [0, 2]


def test_without_a_datamodule_there_is_no_audio() -> None:
    with pytest.raises(LookupError, match="no audio was given for a"):
        TrainingData(CLIPS, TASKS).plain_audio(CLIPS[0])


def test_audio_is_as_validation_has_it_or_as_the_first_epoch_has_it(tones: Path) -> None:
    corpus = ManifestCorpus(str(tones), tasks={"pitch": ["low", "middle", "high"]})
    split = ActorLists(test=[6], val=[5])
    data = EmotionDataModule(corpus, split, augment=[SpeedPerturb(p=1.0)], crop_s=0.1)
    data.prepare_data()
    training = data.training_data()
    clip = training.clips[3]
    assert clip.path is not None
    np.testing.assert_array_equal(training.plain_audio(clip), data.audio.load(clip.path))
    first_epoch = data.train_dataloader().dataset[3, 0].audio
    np.testing.assert_array_equal(training.augmented_audio(clip), first_epoch)
    assert len(first_epoch) == 1600
