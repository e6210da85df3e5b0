"""W&B sweep files: the `fit` command, the search space, and the metric to optimise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import yaml
from optuna.distributions import BaseDistribution

from lightning_emorec.commands.sweep.space import Value, as_flag, read_space
from lightning_emorec.errors import EmorecError

Method = Literal["bayes", "grid", "random"]
Goal = Literal["maximize", "minimize"]

ARGS = "${args}"
KEYS = {
    "name",
    "description",
    "project",
    "entity",
    "method",
    "metric",
    "command",
    "parameters",
    "early_terminate",
}


@dataclass(frozen=True)
class Hyperband:
    """Settings of Hyperband pruning: one in `eta` of the trials that reach a rung continues to the next.

    Attributes:
        min_iter: Epochs of the first rung.
        max_iter: Epochs of the last rung; None for the number of the first complete trial.
        eta: Factor between rungs.
    """

    min_iter: int
    max_iter: int | None
    eta: int


@dataclass(frozen=True)
class SweepFile:
    """The content of a sweep file.

    Attributes:
        name: Name of the sweep.
        method: Search method.
        metric: Key of a logged validation score.
        goal: Whether to maximise or minimise the metric.
        command: Arguments of `fit`, including `ARGS`.
        space: Parameter name -> distribution of its values.
        hyperband: None if no trial is stopped early.
    """

    name: str
    method: Method
    metric: str
    goal: Goal
    command: list[str]
    space: dict[str, BaseDistribution]
    hyperband: Hyperband | None = None

    def arguments(self, values: Mapping[str, Value]) -> list[str]:
        """Arguments of `fit` for a trial with these values."""
        place = self.command.index(ARGS)
        flags = [as_flag(name, value) for name, value in values.items()]
        return [*self.command[:place], *flags, *self.command[place + 1 :]]


def read_sweep(path: Path) -> SweepFile:
    """Read a W&B sweep file.

    Raises:
        EmorecError: The file cannot be read, or has a key or value that is not supported.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise EmorecError("a sweep file in YAML", f"{path}: {error}", "name one of sweeps/") from error
    if (
        not isinstance(content, dict)
        or set(content) - KEYS
        or not {"metric", "command", "parameters"} <= set(content)
    ):
        found = ", ".join(map(str, content)) if isinstance(content, dict) else f"{content!r}"
        raise EmorecError(
            f"metric, command and parameters, and no key but {', '.join(sorted(KEYS))}",
            found,
            f"correct {path}",
        )
    metric = content["metric"]
    if not isinstance(metric, dict) or not isinstance(metric.get("name"), str):
        raise EmorecError("metric.name, the key of a logged score", f"{metric!r}", f"correct {path}")
    method = content.get("method", "bayes")
    return SweepFile(
        name=str(content.get("name") or path.stem),
        method=cast(Method, _one_of(get_args(Method), method, "method", path)),
        metric=_validation(metric["name"], path),
        goal=cast(Goal, _one_of(get_args(Goal), metric.get("goal", "minimize"), "metric.goal", path)),
        command=_fit_arguments(content["command"], path),
        space=read_space(content["parameters"]),
        hyperband=_hyperband(content.get("early_terminate"), path),
    )


def _one_of(known: tuple[str, ...], value: Any, key: str, path: Path) -> str:
    if value not in known:
        raise EmorecError(f"{key} among {', '.join(known)}", f"{value!r}", f"correct {path}")
    return str(value)


def _validation(metric: str, path: Path) -> str:
    if not metric.startswith("val/"):
        raise EmorecError(
            "a metric of the validation part, as val/emotion/uar", metric, f"correct metric.name of {path}"
        )
    return metric


def _fit_arguments(command: Any, path: Path) -> list[str]:
    words = [str(word) for word in command] if isinstance(command, list) else []
    start = words.index("fit") if "fit" in words else len(words)
    rest = words[start + 1 :]
    other = [word for word in rest if word.startswith("${") and word != ARGS]
    if not words[:start] or words[start - 1] != "lightning_emorec" or rest.count(ARGS) != 1 or other:
        expected = "a command of ${interpreter}, -m, lightning_emorec, fit, its arguments, and ${args} once"
        raise EmorecError(expected, " ".join(words) or f"{command!r}", f"correct {path}")
    return rest


def _hyperband(given: Any, path: Path) -> Hyperband | None:
    if given is None:
        return None
    if (
        not isinstance(given, dict)
        or given.get("type") != "hyperband"
        or set(given) - {"type", "min_iter", "max_iter", "s", "eta"}
    ):
        raise EmorecError(
            "early_terminate of type hyperband, with min_iter, or max_iter and s, and eta",
            f"{given!r}",
            f"correct {path}",
        )
    eta, longest = given.get("eta", 3), given.get("max_iter")
    shortest = given.get("min_iter", None if longest is None else longest // eta ** given.get("s", 1))
    if not isinstance(shortest, int) or shortest < 1 or eta < 2:
        raise EmorecError(
            "min_iter of at least 1 epoch and eta of at least 2",
            f"{given!r}",
            f"correct early_terminate of {path}",
        )
    return Hyperband(shortest, longest, eta)
