from __future__ import annotations

import pytest
import torch

from lightning_emorec.fusion import known_clips
from lightning_emorec.fusion.adapted import logits_scores
from lightning_emorec.fusion.known_clips import DrawnClips, adapted_parts
from lightning_emorec.part_logits import PartLogits

SPEAKERS = {"ann": [f"ann{clip}" for clip in range(24)], "bob": [f"bob{clip}" for clip in range(9)]}
ACTOR_OF = {clip: name for name, clips in SPEAKERS.items() for clip in clips}


def part_of(clips: list[str]) -> PartLogits:
    draw = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(len(clips), 3, generator=draw)
    return PartLogits(clips, {"emotion": logits}, {"emotion": torch.arange(len(clips)) % 3})


def test_draws_are_the_same_for_a_seed_and_never_hold_the_judged_clip() -> None:
    first, again, other = (DrawnClips(SPEAKERS, 4, seed).blocks() for seed in (0, 0, 1))
    for one, same, another in zip(first, again, other, strict=True):
        assert torch.equal(one.counts, same.counts)
        assert not torch.equal(one.counts, another.counts)
        assert one.counts.sum(dim=1).tolist() == [4] * len(one.ids)
        assert one.counts.diagonal().eq(0).all()


def test_a_draw_may_hold_the_judged_clip_too_and_be_of_some_clips_only() -> None:
    speakers = {"1": ["a", "b", "c", "d"]}
    ((_, _, counts),) = DrawnClips(speakers, 2, 0, with_own=True).blocks()
    assert counts.diagonal().eq(1).all()
    assert counts.sum(dim=1).tolist() == [2] * 4
    ((_, _, some),) = DrawnClips(speakers, None, 0, pool={"a", "b"}.__contains__).blocks()
    assert some.tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]]


@pytest.mark.parametrize("clips", [0, 4, 15, None])
@pytest.mark.parametrize("with_own", [False, True])
def test_a_speaker_of_many_clips_is_taken_in_blocks_with_the_same_result(
    clips: int | None, with_own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {"all": part_of([*ACTOR_OF]), "few": part_of([*ACTOR_OF][::3])}
    scores = {name: logits_scores(part, part, ACTOR_OF) for name, part in parts.items()}
    known = DrawnClips(SPEAKERS, clips, 0, with_own=with_own)
    whole = [block.counts for block in known.blocks()]
    expected = adapted_parts(parts, scores, known)
    monkeypatch.setattr(known_clips, "BLOCK", 5 * 24)
    blocks = [block.counts for block in known.blocks()]
    assert len(whole) == 2
    assert len(blocks) == 6
    assert max(of.numel() for of in blocks) <= 5 * 24
    assert torch.equal(torch.cat(blocks[:5]), whole[0])
    assert list(known.numbers().values()) == [of for one in blocks for of in one.sum(dim=1).tolist()]
    for name, part in adapted_parts(parts, scores, known).items():
        torch.testing.assert_close(part.logits, expected[name].logits, rtol=0, atol=1e-6)
