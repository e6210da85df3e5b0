"""What the pretrained parts of a model were trained on: a table, which a user can extend."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from lightning_emorec.errors import EmorecError

TABLE_VARIABLE = "EMOREC_PRETRAINING"
"""Names a file with further rows."""

_KEYS = {"name", "names", "classes", "data", "corpora", "undisclosed"}


@dataclass(frozen=True)
class PretrainedPart:
    """One row of the table.

    Attributes:
        name: Name for people.
        data: What it was trained on, and who says so.
        names: Values of a config that name it, with `*` and `?` as in a shell.
        classes: Class names, or other values, which show that it is used.
        corpora: Corpus classes that the data contains, test actors included.
        undisclosed: Whether the data is not listed, so that no corpus can be ruled out.
    """

    name: str
    data: str
    names: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    corpora: tuple[str, ...] = ()
    undisclosed: bool = False

    def is_named(self, text: str) -> bool:
        """Whether a value of a config names this part."""
        return any(fnmatch(text.lower(), pattern.lower()) for pattern in self.names)


def pretrained_parts(model: Mapping[str, Any]) -> dict[str, PretrainedPart]:
    """Hub id in a model's config -> its row of the table; of a part that only a class names, the row's name -> the row.

    Args:
        model: `model` of a run's config, branches inlined.

    Raises:
        EmorecError: The user's file cannot be used.
    """
    found: dict[str, PretrainedPart] = {}
    for text in dict.fromkeys(config_texts(model)):
        if named := next((part for part in table() if part.is_named(text)), None):
            found[text] = named
            continue
        used = next((part for part in table() if text.rpartition(".")[2] in part.classes), None)
        if used and used not in found.values():
            found[used.name] = used
    return found


def table() -> tuple[PretrainedPart, ...]:
    """The rows of the user's file, which count first, and those of the package."""
    own = os.environ.get(TABLE_VARIABLE)
    return (*(_read(Path(own)) if own else ()), *_read(Path(str(files(__package__) / "pretraining.yaml"))))


@lru_cache(maxsize=4)
def _read(file: Path) -> tuple[PretrainedPart, ...]:
    fix = f"correct the file that {TABLE_VARIABLE} names"
    try:
        rows = yaml.safe_load(file.read_text(encoding="utf8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        found = f"{file}, which cannot be read ({type(error).__name__})"
        raise EmorecError("a YAML list of pretrained parts", found, fix) from error
    for row in rows if isinstance(rows, list) else [rows]:
        if not isinstance(row, dict) or not {"name", "data"} <= {*row} <= _KEYS:
            expected = f"rows with name, data and any of {', '.join(sorted(_KEYS - {'name', 'data'}))}"
            raise EmorecError(expected, f"{row} in {file}", fix)
    return tuple(
        PretrainedPart(
            name=str(row["name"]),
            data=str(row["data"]),
            names=_texts_of(row, "names"),
            classes=_texts_of(row, "classes"),
            corpora=_texts_of(row, "corpora"),
            undisclosed=bool(row.get("undisclosed", False)),
        )
        for row in rows
    )


def _texts_of(row: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(map(str, row.get(key) or ()))


def config_texts(value: object) -> Iterator[str]:
    """Every text in a config."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from config_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from config_texts(inner)
