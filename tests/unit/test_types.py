from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lightning_emorec.types import Batch


def batch() -> Batch:
    return Batch(
        clip_ids=["a"],
        index=torch.tensor([0]),
        audio=torch.zeros(1, 4),
        lengths=torch.tensor([4]),
        labels={"emotion": torch.tensor([1])},
        features={"states": torch.ones(1, 2), "words": ["hello"]},
        has_audio=torch.tensor([True]),
        actors=["anna"],
    )


def test_a_loader_pins_every_tensor_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned: list[Tensor] = []

    def pin_memory(tensor: Tensor) -> Tensor:  # the real one needs a GPU
        pinned.append(tensor)
        return tensor.clone()

    monkeypatch.setattr(Tensor, "pin_memory", pin_memory)
    made = torch.utils.data._utils.pin_memory.pin_memory(batch())
    assert len(pinned) == 6
    assert isinstance(made, Batch)
    assert made.features["words"] == ["hello"]
    assert all(of is not made.audio for of in pinned)


def test_a_batch_that_does_not_say_what_has_audio_is_pinned_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tensor, "pin_memory", Tensor.clone)
    assert replace(batch(), has_audio=None).pin_memory().has_audio is None


def test_a_selection_keeps_ids_actors_texts_and_rows_together() -> None:
    two = replace(
        batch(),
        clip_ids=["a", "b"],
        actors=["anna", "ben"],
        index=torch.tensor([0, 1]),
        audio=torch.zeros(2, 4),
        lengths=torch.tensor([4, 3]),
        labels={"emotion": torch.tensor([1, 0])},
        features={"words": ["hello", "there"]},
        has_audio=torch.tensor([False, True]),
    )
    kept = two.select(torch.tensor([False, True]))
    assert (kept.clip_ids, kept.actors, kept.features) == (["b"], ["ben"], {"words": ["there"]})
    assert kept.lengths.tolist() == [3]
