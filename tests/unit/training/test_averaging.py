from __future__ import annotations

import pytest
import torch

from lightning_emorec.training import AveragedWeights
from lightning_emorec.training.averaging import averaged
from lightning_emorec.types import EmorecError


def test_in_the_long_run_a_step_keeps_the_decay() -> None:
    before, now = torch.tensor([1.0]), torch.tensor([0.0])
    torch.testing.assert_close(averaged(0.9, before, now, steps=10_000), torch.tensor([0.9]))


def test_a_short_training_forgets_its_random_start() -> None:
    average = torch.tensor([100.0])
    for steps in range(1, 60):
        average = averaged(0.997, average, torch.tensor([1.0]), steps)
    assert average.item() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_out_of_range_is_refused(decay: float) -> None:
    with pytest.raises(EmorecError, match=r"decay in \[0, 1\)"):
        AveragedWeights(decay)
