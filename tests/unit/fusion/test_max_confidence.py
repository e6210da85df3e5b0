from __future__ import annotations

import torch

from lightning_emorec.fusion import MaxConfidence


def test_each_clip_takes_its_surest_branch() -> None:
    logits = torch.tensor(
        [[[0.9, 0.1], [0.6, 0.4]], [[0.2, 0.8], [0.3, 0.7]]]
    ).log()  # (branches, clips, classes)
    rule = MaxConfidence(calibrate=False)
    rule.fit(logits, torch.tensor([0, 1]))
    torch.testing.assert_close(rule(logits).exp(), torch.tensor([[0.9, 0.1], [0.3, 0.7]]))


def test_confidence_is_a_probability_and_not_a_logit() -> None:
    # The first branch has the larger logits, the second the larger probability.
    logits = torch.tensor([[[100.0, 99.0]], [[0.0, 3.0]]])
    rule = MaxConfidence(calibrate=False)
    rule.fit(logits, torch.tensor([0]))
    assert rule(logits).argmax(dim=-1).tolist() == [1]


def test_of_branches_that_tie_the_first_is_taken() -> None:
    logits = torch.tensor([[[0.8, 0.2]], [[0.2, 0.8]]]).log()
    rule = MaxConfidence(calibrate=False)
    rule.fit(logits, torch.tensor([0]))
    assert rule(logits).argmax(dim=-1).tolist() == [0]
