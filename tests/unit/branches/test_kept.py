"""Flags, defaults, seeds and first weights of every model are those of 708187d, which `kept.json` holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from jsonargparse import ArgumentParser
from torch import Tensor

from lightning_emorec import branches, fusion
from lightning_emorec.branches import Branch, build_branch
from tests.contract.branch_cases import SMALL

TASKS = {"pitch": ["low", "middle", "high"], "voice": ["deep", "bright"]}
KEPT: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("kept.json").read_text(encoding="utf8"))


def flags(kind: type[Branch]) -> dict[str, list[Any]]:
    """Name of each constructor argument -> its type as text, and its default."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind, "model")
    found = {
        action.dest.removeprefix("model."): [
            _text(getattr(action, "_typehint", None) or action.type),
            action.default,
        ]
        for action in parser._actions
        if action.dest.startswith("model.")
    }
    return dict(sorted(found.items()))


def _text(kind: object) -> str:
    name = kind.__name__ if type(kind) is type else str(kind)
    return name.replace("typing.", "").replace("'", "")


def first_weights(name: str) -> dict[str, float]:
    """Key of the state -> mean of the absolute values after seed 0, to 4 digits; -1 for extra state."""
    torch.manual_seed(0)
    state = build_branch({"class_path": name, "init_args": SMALL[name]}, TASKS).state_dict()
    return {
        key: float(f"{value.double().abs().sum() / max(1, value.numel()):.4g}")
        if isinstance(value, Tensor)
        else -1.0
        for key, value in sorted(state.items())
    }


def model_class(name: str) -> type[Branch]:
    made: type[Branch] = getattr(fusion if name == "FusionModule" else branches, name)
    return made


def test_no_model_is_forgotten() -> None:
    assert set(KEPT) == {*SMALL, "FusionModule"}


@pytest.mark.parametrize("name", sorted(KEPT))
def test_flags_and_defaults_are_kept(name: str) -> None:
    assert flags(model_class(name)) == KEPT[name]["flags"]


@pytest.mark.parametrize("name", sorted(SMALL))
def test_first_weights_and_names_in_the_state_are_kept(name: str) -> None:
    assert first_weights(name) == pytest.approx(KEPT[name]["weights"], rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_the_seed_of_a_fit_is_drawn_from_the_class_path_that_a_config_names(name: str) -> None:
    assert model_class(name).seed_name == f"lightning_emorec.branches.{name}"


def test_the_seed_of_a_fusion_and_of_a_class_from_elsewhere_is_drawn_from_the_own_path() -> None:
    class Own(branches.AudioCnn):
        pass

    assert fusion.FusionModule.seed_name == "lightning_emorec.fusion.FusionModule"
    assert Own.seed_name.startswith(f"{__name__}.")
    assert Own.seed_name.endswith(".Own")
