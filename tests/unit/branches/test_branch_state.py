"""A checkpoint that does not fit the model is told in one line."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lightning_emorec.branches import AudioCnn
from lightning_emorec.errors import EmorecError


def small() -> AudioCnn:
    return AudioCnn({"pitch": ["low", "high"]}, width=4, stages=2)


def refusal(state: dict[str, Any]) -> str:
    with pytest.raises(EmorecError) as refused:
        small().load_state_dict(state)
    return str(refused.value)


def test_keys_that_a_checkpoint_lacks_or_has_besides_are_named() -> None:
    state = small().state_dict()
    del state["heads.pitch.bias"]
    said = refusal({**state, **{f"rules.{name}": torch.zeros(1) for name in "dcba"}})
    assert said == (
        "expected a checkpoint whose state fits this version's AudioCnn; "
        "found 1 missing (heads.pitch.bias) and 4 unexpected (rules.a, rules.b, rules.c, …); "
        "train the run again, or use the version of lightning_emorec that made it"
    )


def test_a_value_of_another_size_is_named() -> None:
    said = refusal({**small().state_dict(), "heads.pitch.bias": torch.zeros(3)})
    assert "found size mismatch for heads.pitch.bias" in said
    assert "\n" not in said


def test_a_state_that_fits_is_taken() -> None:
    state = small().state_dict()
    again = small()
    again.load_state_dict(state)
    assert torch.equal(again.state_dict()["heads.pitch.weight"], state["heads.pitch.weight"])
