from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from lightning_emorec.audio import AudioStore, FrontEnd
from lightning_emorec.augment import SpeedPerturb
from lightning_emorec.dataset import DrawSampler, Sample, TrainingView, collate, content_of, labels
from lightning_emorec.types import UNLABELLED, Clip

TASKS = {"emotion": ["calm", "angry"], "sex": ["female", "male"]}


def sample(length: int, index: int = 0) -> Sample:
    return Sample(
        Clip(str(index), "1", None),
        index,
        np.ones(length, dtype=np.float32),
        {"emotion": 1, "sex": UNLABELLED},
    )


def sampler(clips: int, replicas: int = 1, rank: int = 0, shuffle: bool = True, seed: int = 1) -> DrawSampler:
    return DrawSampler(clips, None, shuffle, seed, replicas, rank)


def test_audio_is_padded_with_zeros_to_the_longest_clip() -> None:
    batch = collate([sample(2), sample(4)], {})
    assert batch.audio.tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert batch.lengths.tolist() == [2, 4]


def test_a_batch_of_clips_without_audio_is_not_empty() -> None:
    assert collate([sample(0), sample(0)], {}).audio.shape == (2, 1)


def test_a_task_that_does_not_label_a_clip_is_marked() -> None:
    assert labels(Clip("a", "1", None, {"emotion": "angry"}), TASKS) == {"emotion": 1, "sex": UNLABELLED}


def test_an_epoch_visits_each_clip_once_and_each_epoch_in_another_order() -> None:
    order = sampler(50)
    order.set_epoch(0)
    first = list(order)
    order.set_epoch(1)
    second = list(order)
    assert sorted(index for index, _ in first) == list(range(50))
    assert [index for index, _ in first] != [index for index, _ in second]
    assert {epoch for _, epoch in first} == {0}
    assert {epoch for _, epoch in second} == {1}


def test_ranks_share_an_epoch_evenly_and_leave_no_clip_out() -> None:
    ranks = [[index for index, _ in sampler(5, replicas=2, rank=rank)] for rank in range(2)]
    assert [len(rank) for rank in ranks] == [3, 3]
    assert {index for rank in ranks for index in rank} == set(range(5))


def test_more_ranks_than_clips_still_get_one_each() -> None:
    assert [len(list(sampler(2, replicas=5, rank=rank, shuffle=False))) for rank in range(5)] == [1] * 5


def test_weights_draw_rare_clips_as_often() -> None:
    weights = torch.tensor([1 / 90] * 90 + [1 / 10] * 10)
    drawn = [index for index, _ in DrawSampler(100, weights, True, 1, 1, 0)]
    assert 35 <= sum(index >= 90 for index in drawn) <= 65  # 50 expected, SD 5


def test_a_view_depends_on_seed_epoch_and_clip_only() -> None:
    view = TrainingView([SpeedPerturb(p=1.0)], crop_s=0.1, seed=1)
    audio = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    first = view(audio, 16000, "a", 0)
    np.random.rand(3)
    np.testing.assert_array_equal(first, view(audio, 16000, "a", 0))
    assert len(first) == 1600
    for other in (view(audio, 16000, "b", 0), view(audio, 16000, "a", 1)):
        assert not np.array_equal(first, other)


def test_a_long_clip_is_cut_to_its_middle() -> None:
    audio = np.arange(10, dtype=np.float32)
    assert FrontEnd(1, None, False, 4.0)(audio).tolist() == [3, 4, 5, 6]


@pytest.mark.parametrize("peak", [0.0, 0.25])
def test_a_peak_is_scaled_to_one_and_silence_stays(peak: float) -> None:
    audio = np.array([0, -peak, peak / 2], dtype=np.float32)
    scaled = FrontEnd(16000, None, True, 4.0)(audio)
    assert np.abs(scaled).max() == (1.0 if peak else 0.0)


def test_a_step_of_two_ranks_takes_the_clips_of_one_step_of_one_process() -> None:
    alone = list(sampler(12))
    first, second = (list(sampler(12, replicas=2, rank=rank)) for rank in range(2))
    for step in range(3):  # 4 clips a step: 2 a rank
        both = first[2 * step : 2 * step + 2] + second[2 * step : 2 * step + 2]
        assert sorted(both) == sorted(alone[4 * step : 4 * step + 4])


def test_the_content_of_clips_is_all_that_is_learned_from_them_in_any_order(tmp_path: Path) -> None:
    sound, other = tmp_path / "a.wav", tmp_path / "b.wav"
    for file, level in ((sound, 0.1), (other, 0.2)):
        soundfile.write(file, np.full(1600, level), 16000)
    audio = AudioStore(tmp_path / "cache", 16000)
    tasks = {"mood": ["calm", "angry"]}
    clip, mute = Clip("1", "x", sound, {"mood": "calm"}), Clip("2", "y", None, {"mood": "angry"}, text="no")
    content = content_of([clip, mute], audio, tasks)
    assert content_of([mute, clip], audio, tasks) == content
    changed = [
        content_of([replace(clip, labels={"mood": "angry"}), mute], audio, tasks),
        content_of([replace(clip, actor="z"), mute], audio, tasks),
        content_of([replace(clip, path=other), mute], audio, tasks),
        content_of([clip, replace(mute, text="yes")], audio, tasks),
        content_of([clip, mute], audio, {"mood": ["angry", "calm"]}),
        content_of([clip], audio, tasks),
    ]
    assert len({content, *changed}) == 7
