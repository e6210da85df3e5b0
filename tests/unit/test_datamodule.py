from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from lightning_emorec.augment import SpeedPerturb
from lightning_emorec.corpora import ManifestCorpus
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import FeatureReader, ReferenceTranscript, Value
from lightning_emorec.splits import ActorLists
from lightning_emorec.training_data import ModelNeeds
from lightning_emorec.types import Batch, Clip

CLASSES = ["low", "middle", "high"]


def module(
    tones: Path, classes: list[str] = CLASSES, test: list[int | str] | None = None, **knobs: object
) -> EmotionDataModule:
    corpus = ManifestCorpus(str(tones), tasks={"pitch": classes}, text_column="text")
    split = ActorLists(test=test or [6], val=[5])
    data = EmotionDataModule(corpus, split, **knobs)  # type: ignore[arg-type]
    data.prepare_data()
    return data


def batches(data: EmotionDataModule) -> list[Batch]:
    return list(data.train_dataloader())  # type: ignore[arg-type]


def test_parts_hold_the_actors_of_the_split(tones: Path) -> None:
    data = module(tones)
    assert {clip.actor for clip in data.clips("train")} == {"1", "2", "3", "4"}
    assert {clip.actor for clip in data.clips("test")} == {"6"}
    assert data.training_data().class_counts("pitch") == [12, 12, 12]


def test_the_number_of_workers_does_not_change_a_batch(tones: Path) -> None:
    alone, helped = (
        batches(module(tones, augment=[SpeedPerturb(p=0.5)], crop_s=0.2, batch_size=8, workers=workers))
        for workers in (0, 2)
    )
    assert len(alone) == len(helped) == 5
    for one, other in zip(alone, helped, strict=True):
        assert one.clip_ids == other.clip_ids
        torch.testing.assert_close(one.audio, other.audio, rtol=0, atol=0)


def test_evaluation_clips_are_neither_augmented_nor_shuffled(tones: Path) -> None:
    data = module(tones, augment=[SpeedPerturb(p=1.0)], crop_s=0.1, batch_size=100)
    (batch,) = list(data.val_dataloader())
    assert batch.clip_ids == [clip.id for clip in data.clips("val")]  # type: ignore[attr-defined]
    assert batch.lengths.tolist() == [
        len(data.audio.load(clip.path)) for clip in data.clips("val") if clip.path
    ]  # type: ignore[attr-defined]


def test_balanced_batches_hold_as_many_of_a_rare_class(tones: Path) -> None:
    data = module(tones, balance="classes")
    rare = data.clips("train")
    data.parts.train[:] = [clip for clip in rare if clip.labels["pitch"] != "low" or "-0" in clip.id]
    counts = data.training_data().class_counts("pitch")
    drawn = torch.cat(
        [batch.labels["pitch"] for epoch in range(20) for batch in _epoch(data, epoch)]
    ).bincount()
    assert counts[0] < counts[1] / 2
    assert drawn[0] > 0.8 * drawn[1]


def _epoch(data: EmotionDataModule, epoch: int) -> list[Batch]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    return list(loader)  # type: ignore[arg-type]


def test_features_of_training_clips_are_read_when_they_are_asked_for(
    tones: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = module(tones)
    data.needs = ModelNeeds([ReferenceTranscript()])
    (values,) = data.training_data().features.values()
    read: list[str] = []
    value = FeatureReader.value

    def noted(self: FeatureReader, key: str, clip: Clip) -> Value:
        read.append(clip.id)
        return value(self, key, clip)

    monkeypatch.setattr(FeatureReader, "value", noted)
    clips = data.clips("train")
    assert len(values) == len(clips)
    assert not read
    assert values[0] == {"text": clips[0].text}
    assert read == [clips[0].id]
    assert list(values[-2:]) == [{"text": clip.text} for clip in clips[-2:]] == list(values)[-2:]


def test_clips_whose_audio_cannot_be_used_are_left_out_if_asked_for(tones: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tones.parent, tmp_path / "tones"))
    spoiled = [f"1-{pitch}-{take}.wav" for pitch in ("low", "middle") for take in (0, 1)]
    for name in spoiled:
        (folder / name).write_text(f"no audio in {name}")
    data = module(folder / tones.name, on_error="skip")
    assert sorted(data.skipped) == spoiled
    assert {clip.id for clip in data.parts.clips}.isdisjoint(spoiled)
    (warning,) = data.warnings
    assert "cannot be used: 4: 1-low-0.wav (" in warning
    assert warning.endswith(" and 1 more")
    with pytest.raises(EmorecError, match=r"found 4 that are not: .*or leave out .* --data\.on_error skip"):
        module(folder / tones.name)


def test_without_bad_clips_nothing_is_warned_of(tones: Path) -> None:
    assert module(tones, on_error="skip").warnings == []


def test_one_class_only_is_told(tones: Path, tmp_path: Path) -> None:
    lines = tones.read_text().splitlines()
    only = tones.with_name("only_low.csv")
    only.write_text("\n".join([lines[0], *(line for line in lines if ",low," in line)]))
    with pytest.raises(
        EmorecError, match="at least two classes of pitch among the training clips; found low"
    ):
        module(only)


def test_absent_test_actors_leave_no_test_loader(tones: Path) -> None:
    data = module(tones, test=[6, 99])
    with pytest.raises(EmorecError, match="every test actor; found none of the actors 99"):
        data.test_dataloader()


@pytest.mark.parametrize("knob", ["rate_hz", "max_s", "batch_size", "crop_s"])
def test_a_number_that_must_be_positive_is_checked(tones: Path, knob: str) -> None:
    with pytest.raises(EmorecError, match=rf"data\.{knob}"):
        module(tones, **{knob: -1})
