"""Knobs that the parser knows no flag for: inside the branches of a fused run, inside the transforms of a chain."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import yaml
from audiomentations.core.transforms_interface import BaseWaveformTransform
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from lightning_emorec.config_loader import replaced
from lightning_emorec.errors import EmorecError

BRANCH = "--model.init_args.overrides."
TRANSFORM = re.compile(r"--data\.augment\.(?=[A-Z])")  # a class, as `SpeedPerturb`


@dataclass(frozen=True)
class Flags:
    """Knobs that were set on the command line.

    Attributes:
        branches: `BRANCH` NAME.KEY -> value.
        transforms: `--data.augment.` CLASS.ARGUMENT -> value.
    """

    branches: dict[str, Any] = field(default_factory=dict)
    transforms: dict[str, Any] = field(default_factory=dict)

    def set_in_transforms(self, config: Namespace) -> Namespace:
        """Set arguments of the transforms in `data.augment` of a parsed config, which is changed.

        Raises:
            EmorecError: No transform of this class, more than one, or an argument that it does not take so.
        """
        if self.transforms:
            data = config[config.subcommand].data
            for key, value in self.transforms.items():
                name, _, argument = key.partition(".")
                _named(name, data.augment).init_args[argument] = value
            data.augment = _checked(data.augment)
        return config


def take_flags(args: list[str]) -> tuple[list[str], Flags]:
    """Part a command line into what the parser may see and these flags, as KEY=VALUE or KEY VALUE.

    jsonargparse would let each flag of a branch replace all that a config overrides in the same branch, and it has
    none for what is in a list.

    Returns:
        The other arguments, and the flags, whose values are read as YAML.

    Raises:
        EmorecError: A flag without a value.
    """
    others, flags = [], Flags()
    rest = iter(args)
    for arg in rest:
        known = TRANSFORM.match(arg)
        if not known and not arg.startswith(BRANCH):
            others.append(arg)
            continue
        flag, equals, value = arg.partition("=")
        text = value if equals else next(rest, None)
        if text is None:
            raise EmorecError(f"{flag}=VALUE", "no value", "give one")
        if known:
            flags.transforms[flag[known.end() :]] = yaml.safe_load(text)
        else:
            flags.branches[flag.removeprefix(BRANCH)] = replaced(yaml.safe_load(text))
    return others, flags


def overrides_by_branch(overrides: Mapping[str, Any], branches: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Branch name -> dotted key -> value, from any nesting of these; a later key wins.

    Raises:
        EmorecError: The first part of a key is no branch.
    """
    names = list(branches)
    found: dict[str, dict[str, Any]] = {}
    for key, value in flat(overrides):
        name, _, rest = key.partition(".")
        if name not in names or not rest:
            raise EmorecError(
                f"overrides of the branches {names}", f"{key!r}", "mend model.init_args.overrides"
            )
        found.setdefault(name, {})[rest] = value
    return found


def override(config: Mapping[str, Any], dotted: Mapping[str, Any]) -> dict[str, Any]:
    """Set dotted keys, such as `model.init_args.lr`, in a copy of a nested config."""
    changed = deepcopy(dict(config))
    for key, value in dotted.items():
        *path, last = key.split(".")
        place = changed
        for step in path:
            if not isinstance(place.get(step), dict):
                place[step] = {}
            place = place[step]
        place[last] = value
    return changed


def _named(name: str, chain: list[Namespace]) -> Namespace:
    """The transform of a class, by its short name."""
    names = [transform.class_path.rpartition(".")[2] for transform in chain]
    if names.count(name) != 1:
        found = f"{names.count(name)} among {', '.join(names) or 'no transforms'}"
        raise EmorecError(
            f"one {name} in data.augment", found, f"mend --data.augment or --data.augment.{name}"
        )
    return chain[names.index(name)]


def _checked(chain: list[Namespace]) -> list[Namespace]:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--augment", type=list[BaseWaveformTransform])
    plain = [transform.as_dict() for transform in chain]
    try:
        checked: list[Namespace] = parser.parse_object({"augment": plain}).augment
    except ArgumentError as error:
        said = " ".join(str(error).split())
        raise EmorecError("arguments that the transforms take", said, "mend --data.augment") from error
    return checked


def flat(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key -> value of a nested config; an empty dict is a value."""
    for key, value in nested.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
