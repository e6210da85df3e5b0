"""`python -m lightning_emorec check`: a corpus is read before anything is trained on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import yaml
from jsonargparse import ArgumentError, ArgumentParser
from rich.console import Console

from lightning_emorec.audio import AudioStore, default_cache_folder
from lightning_emorec.commands.check.found import checked
from lightning_emorec.commands.check.show import print_checked
from lightning_emorec.config_loader import load_config
from lightning_emorec.corpora import Corpus, ManifestCorpus
from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.writers import write_json
from lightning_emorec.installation import installed_path
from lightning_emorec.table import read_table

SOME_BAD = 3
"""Exit status where some audio cannot be used."""


def check(
    table: list[str] = [],  # noqa: B006 - never changed
    config: str | None = None,
    label: str = "emotion",
    clip_column: str = "path",
    actor_column: str = "actor",
    root: str | None = None,
    channel: int | None = None,
    max_s: float | None = None,
    cache: str | None = None,
    json: str | None = None,
) -> None:
    """Read a corpus and all its audio before training, and print what is in it and what is wrong.

    Audio is decoded as `fit` does it, and kept for it. Where some cannot be used, the exit status is 3.

    Args:
        table: CSV or JSON lines with the columns path, actor and emotion (and start and end, of segments).
        config: In the place of a table: the config of a corpus, or of a run.
        label: Column of the table that has the classes.
        clip_column: Column of the table that has the path of the audio.
        actor_column: Column of the table that has the speaker.
        root: Folder that the table's relative paths start from; by default the table's own.
        channel: The channel to take of every file, as --data.channel of fit.
        max_s: Count clips that fit would cut to this length in s, its --data.max_s; by default the run's, or 15.
        cache: Folder of decoded audio, as --data.cache of fit.
        json: File for all that is found.

    Raises:
        EmorecError: Not one table or config, or one that cannot be read.
    """
    if len(table) + (config is not None) != 1:
        found = ", ".join([*table, *([config] if config else [])]) or "none"
        raise EmorecError("one TABLE, or --config", found, "name one of them")
    data: Mapping[str, Any] = {}
    if config is None:
        corpus: Corpus = _of_table(table[0], label, clip_column, actor_column, root)
    else:
        corpus, data = _of_config(Path(config))
    folder = cache or data.get("cache")
    store = AudioStore(
        Path(folder).expanduser() if folder else default_cache_folder(),
        data.get("rate_hz", 16000),
        data.get("channel") if channel is None else channel,
    )
    found_in = checked(corpus, store, config or table[0], max_s or data.get("max_s", 15.0))
    print_checked(found_in, Console())
    if json is not None:
        write_json(asdict(found_in), Path(json))
    if found_in.bad:
        raise SystemExit(SOME_BAD)


def _of_table(
    table: str, label: str, clip_column: str, actor_column: str, root: str | None
) -> ManifestCorpus:
    """A corpus whose classes are those of the table."""
    read = read_table(table, "TABLE")
    read.require([clip_column, actor_column, label], "name them with --clip_column, --actor_column, --label")
    classes = sorted({row.get(label, "") for _, row in read.rows} - {""})
    if len(classes) < 2:
        found = f"{', '.join(classes) or 'none'} in {table}"
        raise EmorecError(f"two or more classes in the column {label}", found, "name another with --label")
    return ManifestCorpus(table, {label: classes}, clip_column, actor_column, root=root)


def _of_config(file: Path) -> tuple[Corpus, Mapping[str, Any]]:
    """The corpus that a config describes, and `data` around it, if it is a run's."""
    content, data = _content(file), cast("Mapping[str, Any]", {})
    if "class_path" not in content:
        data = content.get("data") or {}
        content = data.get("corpus") or {}
    if isinstance(content, str):
        content = _content(file.parent / content)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--corpus", type=Corpus)
    try:
        corpus = parser.instantiate(parser.parse_object({"corpus": dict(content)})).corpus
    except (ArgumentError, ValueError) as error:
        if isinstance(error.__cause__, EmorecError):
            raise error.__cause__ from error
        found = f"{file}: {' '.join(str(error).split())}"
        raise EmorecError("the config of a corpus or of a run", found, "correct --config") from error
    if corpus is None:
        raise EmorecError("the config of a corpus or of a run", f"no corpus in {file}", "correct --config")
    return cast(Corpus, corpus), data


def _content(file: Path) -> Any:
    try:
        content = load_config(Path(installed_path(str(file))).read_text(encoding="utf8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        found = f"{file}: {getattr(error, 'strerror', None) or ' '.join(str(error).split())}"
        raise EmorecError("a config that can be read", found, "correct --config") from error
    if not isinstance(content, dict):
        raise EmorecError("the config of a corpus or of a run", f"{file}", "correct --config")
    return content
