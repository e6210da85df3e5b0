"""Knobs that the parser knows no flag for: inside the branches of a fused run, inside the transforms of a chain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from audiomentations.core.transforms_interface import BaseWaveformTransform
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from lightning_emorec.errors import EmorecError
from lightning_emorec.nested import flat


def override_transforms(chain: list[Namespace], arguments: Mapping[str, Any]) -> list[Namespace]:
    """Set arguments of transforms in a parsed `data.augment`.

    Args:
        chain: The transforms.
        arguments: CLASS.ARGUMENT -> value.

    Raises:
        EmorecError: No transform of this class, more than one, or an argument that it does not take so.
    """
    for key, value in arguments.items():
        name, _, argument = key.partition(".")
        _named(name, chain).init_args[argument] = value
    return _checked(chain)


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
                f"overrides of the branches {names}", f"{key!r}", "correct model.init_args.overrides"
            )
        found.setdefault(name, {})[rest] = value
    return found


def _named(name: str, chain: list[Namespace]) -> Namespace:
    """The transform of a class, by its short name."""
    names = [transform.class_path.rpartition(".")[2] for transform in chain]
    if names.count(name) != 1:
        found = f"{names.count(name)} among {', '.join(names) or 'no transforms'}"
        raise EmorecError(
            f"one {name} in data.augment", found, f"correct --data.augment or --data.augment.{name}"
        )
    return chain[names.index(name)]


def _checked(chain: list[Namespace]) -> list[Namespace]:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--augment", type=list[BaseWaveformTransform])
    plain = [transform.as_dict() for transform in chain]
    try:
        checked: list[Namespace] = parser.parse_object({"augment": plain}).augment
    except ArgumentError as error:
        reason = " ".join(str(error).split())
        raise EmorecError("arguments that the transforms take", reason, "correct --data.augment") from error
    return checked
