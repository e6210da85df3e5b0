"""Single knobs inside the branches of a fused run: NAME.dotted.key=value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import yaml

from lightning_emorec.types import EmorecError

FLAG = "--model.init_args.overrides."


def take_override_flags(args: list[str]) -> tuple[list[str], dict[str, Any]]:
    """Part a command line into what the parser may see and `FLAG` NAME.KEY=VALUE (or NAME.KEY VALUE).

    jsonargparse would let each such flag replace all that a config overrides in the same branch.

    Returns:
        The other arguments, and NAME.KEY -> value, read as YAML.

    Raises:
        EmorecError: A flag without a value.
    """
    others: list[str] = []
    flags: dict[str, Any] = {}
    rest = iter(args)
    for arg in rest:
        if not arg.startswith(FLAG):
            others.append(arg)
            continue
        key, equals, value = arg.removeprefix(FLAG).partition("=")
        text = value if equals else next(rest, None)
        if text is None:
            raise EmorecError(f"{FLAG}{key}=VALUE", "no value", "give one")
        flags[key] = yaml.safe_load(text)
    return others, flags


def overrides_by_branch(overrides: Mapping[str, Any], branches: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Branch name -> dotted key -> value, from any nesting of these; a later key wins.

    Raises:
        EmorecError: The first part of a key is no branch.
    """
    names = list(branches)
    found: dict[str, dict[str, Any]] = {}
    for key, value in _flat(overrides):
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


def _flat(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in nested.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
