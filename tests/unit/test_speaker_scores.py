from __future__ import annotations

import math

import pytest
import torch

from lightning_emorec.speaker_scores import (
    KnownClips,
    SpeakerScores,
    adapted_logits,
    label_weight,
    mean_by_label,
    speakers_vary,
    variance_ratio,
)


def scores_of(values: torch.Tensor, ratio: float = 1.0) -> SpeakerScores:
    """Log-probabilities of clips, without an effect of their labels."""
    clips, classes = values.shape
    return SpeakerScores(
        scores=values[:, None, None],
        centre=torch.zeros(clips, 1, classes),
        effects=torch.zeros(clips, 1, classes),
        shares=values.softmax(dim=1),
        prior=torch.full((clips, classes), 1 / classes),
        ratio=torch.full((clips,), ratio),
    )


VALUES = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))


def test_without_known_clips_the_logits_are_the_unadapted_ones() -> None:
    scores = scores_of(VALUES)
    made = adapted_logits(scores, KnownClips.among(scores, torch.zeros(5, 5)))
    torch.testing.assert_close(made, VALUES.log_softmax(dim=1), atol=1e-6, rtol=0)


def test_the_mean_of_the_known_clips_is_shrunk_by_their_number() -> None:
    scores = scores_of(VALUES, ratio=3.0)
    counts = torch.zeros(5, 5)
    counts[0, 1:4] = 1
    expected = (VALUES[0] - 3 / (3 + 3) * VALUES[1:4].mean(dim=0)).log_softmax(dim=0)
    torch.testing.assert_close(adapted_logits(scores, KnownClips.among(scores, counts))[0], expected)


def test_where_speakers_do_not_differ_nothing_is_adapted() -> None:
    scores = scores_of(VALUES, ratio=math.inf)
    made = adapted_logits(scores, KnownClips.among(scores, torch.ones(5, 5)))
    torch.testing.assert_close(made, VALUES.log_softmax(dim=1))


def test_the_effect_of_a_one_sided_sample_s_labels_is_taken_out_of_its_mean() -> None:
    even, sided = torch.tensor([[0.5, 0.5]]), torch.tensor([[1.0, 0.0]])
    assert label_weight(even, even).item() == 0
    assert label_weight(sided, even).item() == pytest.approx(math.log(2) / (math.log(2) + 0.5))


def test_the_ratio_of_variances_is_found_again() -> None:
    draw = torch.Generator().manual_seed(0)
    speakers = [str(place % 300) for place in range(3000)]
    offsets = torch.randn(300, 4, generator=draw) * 0.5
    values = offsets[[int(name) for name in speakers]] + torch.randn(3000, 4, generator=draw)
    assert variance_ratio(values, speakers) == pytest.approx(4.0, rel=0.15)


@pytest.mark.parametrize("speakers", [["1"] * 4, ["1", "2", "3", "4"], ["", "nan", "unknown", "?"]])
def test_there_is_no_ratio_where_speakers_cannot_be_told_apart(speakers: list[str]) -> None:
    assert variance_ratio(torch.randn(4, 2, generator=torch.Generator().manual_seed(0)), speakers) == math.inf


def test_clips_of_nobody_count_in_no_ratio() -> None:
    speakers = ["1", "1", "2", "2"]
    values = torch.tensor([[0.0], [1.0], [5.0], [7.0]])
    with_nobody = torch.cat([values, torch.tensor([[100.0], [-100.0]])])
    assert variance_ratio(with_nobody, [*speakers, "nan", "nan"]) == variance_ratio(values, speakers)


def test_a_task_that_is_fixed_in_each_speaker_does_not_vary() -> None:
    assert not speakers_vary(torch.tensor([0, 0, 1, -100]), ["1", "1", "2", "2"])
    assert speakers_vary(torch.tensor([0, 1, 1, 1]), ["1", "1", "2", "2"])


def test_effects_of_labels_are_their_means_without_the_mean_of_all() -> None:
    values = torch.tensor([[1.0], [3.0], [8.0], [100.0]])
    effects, prior = mean_by_label(values, torch.tensor([0, 0, 1, -100]), 3)
    torch.testing.assert_close(effects[:, 0], torch.tensor([-2.0, 4.0, 0.0]))
    torch.testing.assert_close(prior, torch.tensor([2 / 3, 1 / 3, 0.0]))


def test_some_classes_alone_are_a_distribution_again() -> None:
    kept = scores_of(VALUES).classes(torch.tensor([2, 0]))
    torch.testing.assert_close(kept.scores[:, 0, 0], VALUES[:, [2, 0]])
    torch.testing.assert_close(kept.shares.sum(dim=1), torch.ones(5))
    assert len(kept) == len(kept.ratio) == 5
