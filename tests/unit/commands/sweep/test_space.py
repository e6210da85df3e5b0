from __future__ import annotations

from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from lightning_emorec.commands.sweep.space import as_flag, read_space
from lightning_emorec.errors import EmorecError


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"value": 3}, CategoricalDistribution([3])),
        ({"values": ["a", True, "null"]}, CategoricalDistribution(["a", True, "null"])),
        ({"min": 1, "max": 4}, IntDistribution(1, 4)),
        ({"min": 1, "max": 4.0}, FloatDistribution(1, 4)),
        ({"distribution": "uniform", "min": 0, "max": 1}, FloatDistribution(0, 1)),
        ({"distribution": "int_uniform", "min": 0, "max": 1}, IntDistribution(0, 1)),
        ({"distribution": "log_uniform_values", "min": 0.1, "max": 1}, FloatDistribution(0.1, 1, log=True)),
        ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.25}, FloatDistribution(0, 1, step=0.25)),
        ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.4}, FloatDistribution(0, 0.8, step=0.4)),
    ],
)
def test_a_parameter_means_what_it_means_to_wandb(given: dict[str, Any], meant: object) -> None:
    assert read_space({"lr": given}) == {"lr": meant}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"distribution": "beta", "min": 0, "max": 1},
            "uniform, int_uniform.*; found beta; correct the parameter lr",
        ),
        ({"min": 0}, "found min; correct"),
        ({}, "found nothing"),
        (0.1, "found 0.1"),
        ({"min": 0, "max": 1, "q": 0.1}, "max, min for int_uniform; found min, max, q"),
        ({"parameters": {"a": {"value": 1}}}, "found parameters"),
        ({"min": "1e-4", "max": 1.0}, "1e-4 is written 1.0e-4"),
        ({"min": 2, "max": 1}, "min <= max"),
        ({"distribution": "log_uniform_values", "min": 0, "max": 1}, "above 0 where it is logarithmic"),
        ({"values": [[1, 2]]}, "put a list into quotes"),
        ({"values": []}, "a list of texts"),
    ],
)
def test_what_is_not_known_is_one_clear_error(given: object, said: str) -> None:
    with pytest.raises(EmorecError, match=said):
        read_space({"lr": given})


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        (0.30000000000000004, "--a.b=0.3"),
        (1e-5, "--a.b=1e-05"),
        (True, "--a.b=True"),
        ("[1, 2]", "--a.b=[1, 2]"),
        (7, "--a.b=7"),
    ],
)
def test_a_value_is_written_as_an_argument(value: Any, flag: str) -> None:
    assert as_flag("a.b", value) == flag
