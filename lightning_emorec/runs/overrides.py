"""Overrides without a parser flag: settings of the branches of a fused run, arguments of augmentation transforms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from audiomentations.core.transforms_interface import BaseWaveformTransform
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from lightning_emorec.errors import EmorecError
from lightning_emorec.nested import flat


def override_transforms(chain: list[Namespace], arguments: Mapping[str, Any]) -> list[Namespace]:
    """Set arguments (CLASS.ARGUMENT -> value) of the transforms in a parsed `data.augment`."""
    for key, value in arguments.items():
        name, _, argument = key.partition(".")
        _named(name, chain).init_args[argument] = value
    return _checked(chain)


def overrides_by_branch(overrides: Mapping[str, Any], branches: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Branch name -> dotted key -> value, from any nesting of these; later keys replace earlier ones."""
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
    """The only transform with this class name."""
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
        raise EmorecError("valid arguments of the transforms", reason, "correct --data.augment") from error
    return checked
