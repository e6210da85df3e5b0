"""Many clips of one long file: the same audio, features and logits as of files that hold one clip each."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from lightning_emorec.audio import AudioStore, Stretch, sounds_of
from lightning_emorec.branches import AudioCnn, FunctionalsMlp
from lightning_emorec.corpora import ManifestCorpus
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.dataset import content_of
from lightning_emorec.errors import EmorecError
from lightning_emorec.runs.leakage import refuse_shared_recordings
from lightning_emorec.splits import ActorLists, Parts
from lightning_emorec.types import Clip

TASKS = {"pitch": ["low", "middle", "high"]}
RATE_HZ = 16000
STEP = 0.5 / 32767
"""Of the peak: how far the rounding to 16 bits moves a sample."""


def corpus(table: Path) -> ManifestCorpus:
    return ManifestCorpus(str(table), tasks=TASKS)


@pytest.fixture
def long(tones: Path, tmp_path: Path) -> Path:
    """The clips of `tones` as one file, and a table of their times."""
    sounds, rows, at = [], [], 0
    with tones.open(encoding="utf8") as file:
        for row in csv.DictReader(file):
            sound, _ = soundfile.read(tones.parent / row["path"], dtype="int16")
            times = {"start": at / RATE_HZ, "end": (at + len(sound)) / RATE_HZ}
            rows.append({"path": "long.wav", "actor": row["actor"], "pitch": row["pitch"], **times})
            sounds.append(sound)
            at += len(sound)
    soundfile.write(tmp_path / "long.wav", np.concatenate(sounds), RATE_HZ)
    return write(tmp_path / "long.csv", rows)


def write(table: Path, rows: Sequence[dict[str, object]]) -> Path:
    with table.open("w", newline="", encoding="utf8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return table


def in_time(clips: Sequence[Clip], tones: Path) -> list[Clip]:
    """Clips of either corpus in the order of the table of separate files."""
    with tones.open(encoding="utf8") as file:
        order = [row["path"] for row in csv.DictReader(file)]
    return sorted(
        clips, key=lambda clip: (clip.start or 0.0, order.index(clip.id) if clip.id in order else 0)
    )


def both(tones: Path, long: Path) -> tuple[list[Clip], list[Clip]]:
    return in_time(corpus(tones).clips(), tones), in_time(corpus(long).clips(), tones)


def test_segments_have_the_audio_of_separate_files(tones: Path, long: Path, tmp_path: Path) -> None:
    store = AudioStore(tmp_path / "cache", RATE_HZ)
    files, segments = both(tones, long)
    store.prepare(sounds_of(segments))
    assert len(list((tmp_path / "cache").rglob("*.pcm"))) == 1  # decoded once
    peak = float(np.abs(store.load(tmp_path / "long.wav")).max())
    for alone, cut in zip(sounds_of(files), sounds_of(segments), strict=True):
        np.testing.assert_allclose(store.load(cut), store.load(alone), atol=2.001 * STEP * peak, rtol=0)


def test_segments_have_the_features_and_logits_of_separate_files(
    tones: Path, long: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    branches = AudioCnn(TASKS, width=4, stages=2), FunctionalsMlp(TASKS, functionals="librosa", hidden=8)
    split = ActorLists(test=[6], val=[5])
    made = []
    for table in (tones, long):
        data = EmotionDataModule(corpus(table), split, batch_size=18, cache=str(tmp_path / "cache"))
        for branch in branches:
            data.needs = branch.needs
            data.prepare_data()
            (batch,) = data.test_dataloader()
            order = torch.tensor([int(place) for place in _places(batch.clip_ids, table, tones)]).argsort()
            with torch.no_grad():
                made.append(branch.eval()(batch)["pitch"][order])
    cnn, mlp, cnn_of_segments, mlp_of_segments = made
    torch.testing.assert_close(cnn_of_segments, cnn, atol=1e-4, rtol=0)
    torch.testing.assert_close(mlp_of_segments, mlp, atol=3e-4, rtol=0)


def _places(ids: Sequence[str], table: Path, tones: Path) -> list[int]:
    known = [clip.id for clip in in_time(corpus(table).clips(), tones)]
    return [known.index(one) for one in ids]


def test_digests_tell_segments_apart_and_leave_those_of_files_as_they_were(
    tones: Path, tmp_path: Path
) -> None:
    store = AudioStore(tmp_path / "cache", RATE_HZ)
    file = sorted(tones.parent.glob("*.wav"))[0]
    whole, first, second = store.digests([file, Stretch(file, 0.0, 0.1), Stretch(file, 0.1, None)])
    assert (first, second) == (f"{whole}@0.0-0.1", f"{whole}@0.1-")
    clips = [Clip("a", "1", file), Clip("a", "1", file, start=0.0), Clip("a", "1", file, start=0.1)]
    contents = [content_of([clip], store, TASKS) for clip in clips]
    assert contents[0] == contents[1] != contents[2]


@pytest.mark.parametrize("times", [(0.0, 99.0), (50.0, None), (0.1, 0.1 + 1e-6)])
def test_a_segment_that_is_not_within_its_file_is_told_in_one_line(
    times: tuple[float, float | None], tones: Path, tmp_path: Path
) -> None:
    store = AudioStore(tmp_path / "cache", RATE_HZ)
    file = sorted(tones.parent.glob("*.wav"))[0]
    bad, good = Stretch(file, *times), Stretch(file, 0.0, 0.1)
    with pytest.raises(
        EmorecError, match=r"expected a segment within its file; found .* s of .* s long; correct"
    ):
        store.load(bad)
    with pytest.raises(EmorecError, match=r"columns start and end, or leave out .* --data\.on_error skip"):
        store.prepare([bad, good])
    assert set(store.unusable([bad, good])) == {bad}
    assert set(store.notes([bad, good])) == {good}


def test_an_end_rounded_beyond_the_file_is_the_end_of_the_file(tones: Path, tmp_path: Path) -> None:
    store = AudioStore(tmp_path / "cache", RATE_HZ)
    file = sorted(tones.parent.glob("*.wav"))[0]
    audio = store.load(file)
    np.testing.assert_array_equal(store.load(Stretch(file, 0.0, len(audio) / RATE_HZ + 0.04)), audio)


def test_a_note_of_a_segment_has_its_own_length_and_peak_and_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "a.wav", np.repeat([0.5, 0.0], RATE_HZ), RATE_HZ)
    loud, silent = Stretch(tmp_path / "a.wav", 0.0, 0.5), Stretch(tmp_path / "a.wav", 1.0, None)
    notes = AudioStore(tmp_path / "cache", RATE_HZ).notes([loud, silent])
    assert (notes[loud].seconds, notes[loud].silent, notes[silent].silent) == (0.5, False, True)
    monkeypatch.setattr(AudioStore, "load", None)
    assert AudioStore(tmp_path / "cache", RATE_HZ).notes([loud, silent]) == notes


def test_segments_that_overlap_may_not_be_in_two_parts(tones: Path, tmp_path: Path) -> None:
    store = AudioStore(tmp_path / "cache", RATE_HZ)
    file = sorted(tones.parent.glob("*.wav"))[0]

    def judge(train: tuple[float | None, float | None], val: tuple[float | None, float | None]) -> None:
        one, other = Clip("a", "1", file, {}, None, None, *train), Clip("b", "2", file, {}, None, None, *val)
        refuse_shared_recordings(Parts([one], [other], []), store)

    judge((0.0, 0.1), (0.1, 0.2))
    judge((0.0, 0.1), (0.08, 0.2))
    for train, val in (
        ((None, None), (0.1, 0.2)),
        ((0.0, 0.1), (0.02, 0.2)),
        ((0.1, None), (0.15, 0.2)),
        ((0.1, None), (0.12, None)),
    ):
        with pytest.raises(EmorecError, match=r"the same audio in a .* and b "):
            judge(train, val)
