"""How jsonargparse reads YAML once this module is imported: texts that stand for something else are replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import yaml
from jsonargparse import get_loader, set_loader

from lightning_emorec.installation import installed_path
from lightning_emorec.renamed import current_class_path

REPLACEMENTS: tuple[Callable[[str], str], ...] = (installed_path, current_class_path)
"""Each is given every text in a config, keys apart, and returns another or the same."""

_load = get_loader("yaml")


def load_config(text: str) -> Any:
    """The content of a YAML text, as jsonargparse's own loader reads it, after `REPLACEMENTS`."""
    return replaced(_load(text))


def replaced(value: Any, by: Sequence[Callable[[str], str]] = REPLACEMENTS) -> Any:
    """Plain values with other texts, at any depth."""
    if isinstance(value, dict):
        return {key: replaced(item, by) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, by) for item in value]
    if isinstance(value, str):
        for replacement in by:
            value = replacement(value)
    return value


set_loader("yaml", load_config, exceptions=(yaml.YAMLError,))
