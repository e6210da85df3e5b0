from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch import nn

from lightning_emorec.branches.pretrained_speech import Tune, Tuning, check_tuning, linear_maps
from lightning_emorec.errors import EmorecError, UnavailableError


def encoder() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)) for _ in range(3)))


def tuned(tune: Tune, **arguments: Any) -> tuple[nn.Sequential, Tuning]:
    made = encoder()
    tuning = Tuning(tune, **{"top_layers": 2, "lora_rank": 2, "lora_alpha": 4.0, **arguments})
    tuning.apply(made, list(made), linear_maps(made, list(made)))
    return made, tuning


def trained(made: nn.Module) -> set[str]:
    return {name for name, weight in made.named_parameters() if weight.requires_grad}


@pytest.mark.parametrize(
    ("tune", "layers"), [("frozen", set()), ("top", {"1", "2"}), ("all", {"0", "1", "2"})]
)
def test_what_is_tuned_requires_grad_and_may_drop_out(tune: Tune, layers: set[str]) -> None:
    made, tuning = tuned(tune)
    assert {name.split(".")[0] for name in trained(made)} == layers
    tuning.switch(made, list(made), True)
    assert {name for name, layer in made.named_children() if layer.training} == layers
    tuning.switch(made, list(made), False)
    assert not any(part.training for part in made.modules())


def test_lora_trains_two_small_matrices_beside_each_linear_map() -> None:
    made, tuning = tuned("lora")
    shapes = {name: tuple(made.get_parameter(name).shape) for name in trained(made)}
    assert shapes == {
        f"{layer}.0.lora_{side}.default.weight": shape
        for layer in range(3)
        for side, shape in (("A", (2, 4)), ("B", (4, 2)))
    }
    tuning.switch(made, list(made), True)
    assert not any(part.training for part in made.modules() if isinstance(part, nn.Dropout))


def test_lora_changes_nothing_before_it_is_trained() -> None:
    made, _ = tuned("lora")
    rows = torch.randn(5, 4)
    torch.testing.assert_close(made.eval()(rows), encoder().eval()(rows))


def test_a_change_is_scaled_by_alpha_over_the_rank() -> None:
    made, _ = tuned("lora", lora_rank=2, lora_alpha=6.0)
    first = made.get_submodule("0.0")
    with torch.no_grad():
        a, b = first.lora_A["default"].weight.normal_(), first.lora_B["default"].weight.normal_()  # type: ignore[index, union-attr]
        rows = torch.randn(5, 4)
        by_hand = encoder()[0][0](rows) + 3.0 * rows @ a.T @ b.T  # type: ignore[index]
        torch.testing.assert_close(first(rows), by_hand)


def test_more_layers_than_there_are_cannot_be_tuned() -> None:
    with pytest.raises(EmorecError, match=r"top_layers of at most 3.*; found 4"):
        tuned("top", top_layers=4)


@pytest.mark.parametrize("knob", ["top_layers", "lora_rank", "lora_alpha"])
def test_numbers_below_one_are_refused(knob: str) -> None:
    with pytest.raises(EmorecError, match=f"{knob} of at least 1"):
        tuned("frozen", **{knob: 0})


def test_lora_without_its_package_is_unavailable_and_the_rest_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    check_tuning("all")
    with pytest.raises(UnavailableError, match=r"the package peft.*lightning-emorec\[lora\]"):
        check_tuning("lora")
