"""Converts the parameters of a W&B sweep file to Optuna's distributions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from lightning_emorec.errors import EmorecError

Value = str | int | float | bool | None

RANGES = ("uniform", "int_uniform", "q_uniform", "log_uniform_values")
KNOWN = ("constant", "categorical", *RANGES)


def read_space(parameters: Mapping[str, Any]) -> dict[str, BaseDistribution]:
    """Convert `parameters` of a sweep file, each with `value`, `values`, or `min` and `max`.

    Raises:
        EmorecError: A distribution that is not among `KNOWN`, or has invalid settings.
    """
    return {name: _read(name, given) for name, given in parameters.items()}


def _read(name: str, given: Any) -> BaseDistribution:
    if not isinstance(given, dict):
        raise _wrong(name, "value, values, or min and max", f"{given!r}")
    kind = given.get("distribution") or _default_kind(name, given)
    if kind not in KNOWN:
        raise _wrong(name, f"a distribution among {', '.join(KNOWN)}", f"{kind}")
    wanted = {"constant": {"value"}, "categorical": {"values"}, "q_uniform": {"min", "max", "q"}}
    keys = wanted.get(kind, {"min", "max"})
    if set(given) - {"distribution"} != keys:
        raise _wrong(name, f"{', '.join(sorted(keys))} for {kind}", f"{', '.join(given)}")
    if kind in ("constant", "categorical"):
        return _choice(name, [given["value"]] if kind == "constant" else given["values"])
    return _range(name, kind, given)


def _default_kind(name: str, given: Mapping[str, Any]) -> str:
    """W&B's default if no distribution is given."""
    if "value" in given:
        return "constant"
    if "values" in given:
        return "categorical"
    if "min" not in given or "max" not in given:
        raise _wrong(name, "value, values, or min and max", f"{', '.join(given) or 'nothing'}")
    return "int_uniform" if type(given["min"]) is type(given["max"]) is int else "uniform"


def _choice(name: str, values: Any) -> BaseDistribution:
    plain = isinstance(values, list) and all(isinstance(of, Value) for of in values)
    if not plain or not values:
        raise _wrong(
            name, "a list of texts, numbers, booleans or nulls", f"{values!r} (put a list into quotes)"
        )
    return CategoricalDistribution(values)


def _range(name: str, kind: str, given: Mapping[str, Any]) -> BaseDistribution:
    for key in given.keys() - {"distribution"}:
        number = given[key]
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            # YAML 1.1, which W&B uses too, parses a number such as 1e-4 without a dot as a string
            raise _wrong(name, f"a number for {key}", f"{number!r} (1e-4 is written 1.0e-4)")
    low, high, step = given["min"], given["max"], given.get("q")
    if low > high or (step is not None and step <= 0) or (kind == "log_uniform_values" and low <= 0):
        raise _wrong(name, "min <= max, q above 0, and min above 0 where it is logarithmic", f"{dict(given)}")
    if kind == "int_uniform":
        return IntDistribution(int(low), int(high))
    if step is not None:
        steps = math.floor((high - low) / step + 1e-9)
        return FloatDistribution(low, low + steps * step, step=step)
    return FloatDistribution(low, high, log=kind == "log_uniform_values")


def as_flag(name: str, value: Value) -> str:
    """The argument of `fit` that sets a value, in the format of W&B's agent."""
    return f"--{name}={f'{value:.10g}' if isinstance(value, float) else value}"


def _wrong(name: str, expected: str, found: str) -> EmorecError:
    return EmorecError(expected, found, f"correct the parameter {name} of the sweep file")
