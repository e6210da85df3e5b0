from __future__ import annotations

import torch

from lightning_emorec.fusion import LogLinear
from lightning_emorec.fusion.fitted_rules import fuse_across_actors
from lightning_emorec.types import UNLABELLED

ACTORS = ["a", "a", "b", "b", "c", "c"]
EVERY = torch.ones(6, dtype=torch.bool)


def some_logits() -> torch.Tensor:
    return torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))


def test_an_actor_is_fused_by_what_is_learned_from_the_others() -> None:
    logits, labels = some_logits(), torch.tensor([0, 1, 2, 0, 1, 2])
    rule = LogLinear()
    fused = fuse_across_actors(rule, logits, labels, EVERY, [], ACTORS)
    others = LogLinear()
    others.fit(logits[:, 2:], labels[2:])
    torch.testing.assert_close(fused[:2], others(logits[:, :2]))
    assert rule.branches == 0  # it is a copy that learns


def test_the_labels_of_an_actor_do_not_matter_to_how_the_actor_is_fused() -> None:
    logits, labels = some_logits(), torch.tensor([0, 1, 2, 0, 1, 2])
    other = torch.tensor([2, 2, 2, 0, 1, 2])
    first, second = (fuse_across_actors(LogLinear(), logits, of, EVERY, [], ACTORS) for of in (labels, other))
    torch.testing.assert_close(first[:2], second[:2])
    assert not torch.allclose(first[2:], second[2:])


def test_unlabelled_clips_teach_nothing_and_are_fused() -> None:
    logits = some_logits()
    labels = torch.tensor([0, 1, UNLABELLED, UNLABELLED, 1, 2])
    fused = fuse_across_actors(LogLinear(), logits, labels, EVERY, [], ACTORS)
    others = LogLinear()
    others.fit(logits[:, 4:], labels[4:])
    torch.testing.assert_close(fused[:2], others(logits[:, :2]))
    assert fused.isfinite().all()


def test_clips_without_audio_are_fused_from_the_branches_that_need_none() -> None:
    logits, labels = some_logits(), torch.tensor([0, 1, 2, 0, 1, 2])
    has_audio = torch.tensor([True, False] * 3)
    changed = logits.clone()
    changed[0, 1::2] = 9.0  # branch 0 needs audio: what it says of clips without is nothing
    first, second = (
        fuse_across_actors(LogLinear(), of, labels, has_audio, [1], ACTORS) for of in (logits, changed)
    )
    torch.testing.assert_close(first, second)


def test_of_many_actors_several_are_left_out_at_a_time() -> None:
    actors = [str(number) for number in range(60)]
    logits, labels = torch.zeros(2, 60, 3), torch.arange(60) % 3
    fused = fuse_across_actors(
        LogLinear(bias=False), logits, labels, torch.ones(60, dtype=torch.bool), [], actors
    )
    torch.testing.assert_close(fused.exp(), torch.full((60, 3), 1 / 3))
