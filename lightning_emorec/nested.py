"""Access to nested configs by dotted keys, such as `model.init_args.lr`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import yaml


def flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key -> value, for every value of a nested config that is not itself a non-empty mapping."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def override(config: Mapping[str, Any], dotted: Mapping[str, Any]) -> dict[str, Any]:
    """Set dotted keys in a copy of a nested config."""
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


def as_yaml(config: Mapping[str, Any]) -> str:
    """A config of plain values as YAML, in the order of its keys."""
    return yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
