from __future__ import annotations

from pathlib import Path

import pytest

from lightning_emorec.branches import AudioCnn, TranscriptGru, Vader
from lightning_emorec.corpora import ManifestCorpus
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.evaluation.from_run import transcripts
from lightning_emorec.splits import ActorLists

TASKS = {"pitch": ["low", "middle", "high"]}


@pytest.fixture
def data(tones: Path) -> EmotionDataModule:
    corpus = ManifestCorpus(str(tones), TASKS, text_column="text")
    return EmotionDataModule(corpus, ActorLists(test=["6"], val=["5"]))


def test_what_a_model_read_is_gathered_by_clip(data: EmotionDataModule, tmp_path: Path) -> None:
    file = tmp_path / "heard.csv"
    ids = [clip.id for clip in data.parts.clips]
    file.write_text("clip,text\n" + "".join(f"{clip},heard in {clip}\n" for clip in ids), encoding="utf8")
    model = TranscriptGru(TASKS, transcript="file", transcript_file=str(file))
    read = transcripts(model, data, "test")
    assert read == {clip.id: f"heard in {clip.id}" for clip in data.clips("test")}


def test_the_transcript_behind_other_features_is_found(data: EmotionDataModule) -> None:
    read = transcripts(Vader(TASKS, transcript="reference"), data, "val")
    assert read == {clip.id: clip.text for clip in data.clips("val")}


def test_a_model_that_reads_nothing_has_no_texts(data: EmotionDataModule) -> None:
    assert transcripts(AudioCnn(TASKS, width=4, stages=2), data, "test") == {}
