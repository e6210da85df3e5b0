from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from lightning_emorec.branches import Branch
from lightning_emorec.inference import other_features


def hearing(*keys: str) -> Branch:
    return cast(Branch, SimpleNamespace(features=[SimpleNamespace(key=key) for key in keys]))


def test_a_model_that_hears_what_it_was_trained_on_is_not_warned_of() -> None:
    assert other_features({"features": ["a-1", "b-2"]}, hearing("b-2", "a-1")) == []


def test_a_checkpoint_from_before_features_were_kept_is_taken_as_it_is() -> None:
    assert other_features({}, hearing("a-1")) == []


def test_another_whisper_is_warned_of() -> None:
    warnings: list[Any] = other_features({"features": ["whisper-1", "b-2"]}, hearing("whisper-9", "b-2"))
    assert len(warnings) == 1
    assert "the features whisper-1 and would be judged on whisper-9: set EMOREC_WHISPER" in warnings[0]
