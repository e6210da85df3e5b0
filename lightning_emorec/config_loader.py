"""Importing this module makes jsonargparse replace installed paths and old class paths in YAML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import yaml
from jsonargparse import get_loader, set_loader

from lightning_emorec.installation import installed_path
from lightning_emorec.renamed import current_class_path

REPLACEMENTS: tuple[Callable[[str], str], ...] = (installed_path, current_class_path)
"""Functions applied to every string value of a config."""

_load = get_loader("yaml")


def load_config(text: str) -> Any:
    """Parse YAML with jsonargparse's loader, and apply `REPLACEMENTS`."""
    return replaced(_load(text))


def replaced(value: Any, by: Sequence[Callable[[str], str]] = REPLACEMENTS) -> Any:
    """Plain values with the replacements applied to every string, at any depth."""
    if isinstance(value, dict):
        return {key: replaced(item, by) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, by) for item in value]
    if isinstance(value, str):
        for replacement in by:
            value = replacement(value)
    return value


set_loader("yaml", load_config, exceptions=(yaml.YAMLError,))
