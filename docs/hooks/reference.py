"""A hook of MkDocs: pages of the reference that are made from the code when the site is built."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from importlib import import_module
from inspect import getdoc, isabstract, isclass
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from jsonargparse import ArgumentParser
from lightning.pytorch.cli import LightningArgumentParser
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parents[2]))

import lightning_emorec
from lightning_emorec.__main__ import LIGHTNING_CLI, VERBS, main
from lightning_emorec.branches import Branch
from lightning_emorec.corpora import Corpus
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.fusion import FusionModule, FusionRule
from lightning_emorec.runs.arguments import add_run_arguments
from lightning_emorec.splits import Split

LINKED = {"tasks", "seed"}
"""Arguments that a config never sets: they come from the corpus and from `seed_everything`."""

SLOTS = {
    "Corpora": ("corpora", "`data.corpus`", ("corpora",), Corpus),
    "Splits": ("splits", "`data.split`", ("splits",), Split),
    "Branches": ("branches", "`model`, and the branches of a fusion", ("branches",), Branch),
    "Fusion rules": ("rules", "`model.init_args.rule`", ("fusion",), FusionRule),
    "Augmentation, callbacks, loggers": (
        "other",
        "`data.augment`, `trainer.callbacks` and `trainer.logger`",
        ("augment", "callbacks", "loggers"),
        object,
    ),
}
"""Title -> page, where a config names such a class, packages that export them, base class."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and put them into `nav` in the place of `reference/`."""
    pages = {**_config_pages(), "reference/verbs.md": ("Command line", _verbs()), **_api_pages()}
    for name, (_, text) in pages.items():
        files.append(File.generated(config, name, content=text))
    for entry in config.nav or []:
        if "Reference" in entry:
            entry["Reference"] = [{title: name} for name, (title, _) in pages.items()]
    return files


def _config_pages() -> dict[str, tuple[str, str]]:
    """Name of a page -> its title and text: every key that a config may have, with type, default and meaning."""
    run = LightningArgumentParser()
    add_run_arguments(run)
    data, model = _parser(EmotionDataModule), _parser(FusionModule)
    text = (
        "# Config keys: run, data, fusion\n\nWhat a config of `fit` may hold, beside the keys of the classes "
        "that it names. "
        "`trainer` takes every argument of Lightning's `Trainer`, `checkpoint` those of its `ModelCheckpoint`; "
        "`fit --help` lists them.\n\n"
        f"## Run\n\n{_table(run, skip='checkpoint')}\n\n"
        "`seed_everything` (default 1) is the run's seed.\n\n"
        f"## Data\n\nKeys below `data`.\n\n{_table(data)}\n\n"
        f"## Fusion\n\nKeys below `model.init_args` with `class_path: FusionModule`.\n\n{_table(model)}\n"
    )
    pages = {"reference/config.md": ("Config: run, data, fusion", text)}
    for title, (name, slot, packages, base) in SLOTS.items():
        sections = "\n\n".join(
            _section(kind) for kind in _classes(packages, base) if kind is not FusionModule
        )
        intro = f"Classes that stand in {slot}, as `class_path`, with what `init_args` may hold."
        pages[f"reference/config_{name}.md"] = (
            f"Config: {title.lower()}",
            f"# {title}\n\n{intro}\n\n{sections}\n",
        )
    return pages


def _classes(packages: tuple[str, ...], base: type) -> Iterator[type]:
    """The classes that packages export and a config can name."""
    for package in packages:
        module = import_module(f"lightning_emorec.{package}")
        for name in module.__all__:
            kind = getattr(module, name)
            if isclass(kind) and issubclass(kind, base) and not isabstract(kind) and kind is not base:
                yield kind


def _section(kind: type) -> str:
    summary = (getdoc(kind) or "").partition("\n\nArgs:")[0].partition("\n\nAttributes:")[0]
    return f"## {kind.__name__}\n\n{summary}\n\n{_table(_parser(kind)) or 'No arguments.'}"


def _parser(kind: type) -> ArgumentParser:
    """Arguments of a class as the command line has them: those that it passes on to its base class too."""
    parser = ArgumentParser()
    parser.add_class_arguments(kind, skip=LINKED & {*_parameters(kind)})
    return parser


def _parameters(kind: Any) -> list[str]:
    parser = ArgumentParser()
    parser.add_class_arguments(kind)
    return [action.dest for action in parser._actions]


def _table(parser: ArgumentParser, skip: str = "help") -> str:
    rows = [
        f"| `{action.dest}` | `{_type(action)}` | `{_default(action.default)}` | {_cell(action.help)} |"
        for action in parser._actions
        if action.dest not in ("help", "config")
        and not action.dest.startswith(skip)
        and action.help != "==SUPPRESS=="
        if ".help" not in action.dest and "--print" not in str(action.option_strings)
    ]
    return "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *rows]) if rows else ""


def _type(action: Any) -> str:
    kind = getattr(action, "_typehint", action.type)
    text = getattr(kind, "__name__", str(kind)) if isclass(kind) and "[" not in str(kind) else str(kind)
    for module in ("typing.", "collections.abc.", "NoneType"):
        text = text.replace(module, "null" if module == "NoneType" else "")
    return " ".join(
        part.rpartition(".")[2] if "lightning_emorec" in part else part for part in text.split()
    ).replace("|", "or")


def _default(value: object) -> str:
    shown = {None: "null", True: "true", False: "false"}
    return str(shown.get(value, value)) if isinstance(value, bool | None) else str(value)


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _verbs() -> str:
    """The help of every verb, as the program prints it."""
    os.environ["COLUMNS"] = "100"
    parts = [
        "# Command line\n\nThe help of each verb, as `python -m lightning_emorec VERB --help` prints it."
    ]
    for name, verb in VERBS.items():
        if verb.function == LIGHTNING_CLI:
            example = f"    python -m lightning_emorec {name} {verb.example}"
            body = f"`{name} --help` lists the flags; the [config keys](config.md) are the same.\n\n{example}"
        else:
            printed = io.StringIO()
            with redirect_stdout(printed), suppress(SystemExit):
                main([name, "--help"])
            body = f"```text\n{printed.getvalue().replace(_program(), 'python -m lightning_emorec').strip()}\n```"
        parts.append(f"## {name}\n\n{verb.summary[0].upper()}{verb.summary[1:]}.\n\n{body}")
    return "\n\n".join(parts) + "\n"


def _program() -> str:
    from lightning_emorec.installation import command_name

    return command_name()


def _api_pages() -> dict[str, tuple[str, str]]:
    """A page for the package, and one for each of its packages that exports something."""
    root = "# Python API\n\nWhat `import lightning_emorec` offers.\n\n"
    pages = {"reference/python.md": ("Python: lightning_emorec", root + _documented("lightning_emorec"))}
    for info in iter_modules(lightning_emorec.__path__):
        name = f"lightning_emorec.{info.name}"
        if info.ispkg and getattr(import_module(name), "__all__", None):
            title = f"# `{name}`\n\n{getdoc(import_module(name))}\n\n"
            pages[f"reference/python_{info.name}.md"] = (f"Python: {info.name}", title + _documented(name))
    return pages


def _documented(module: str) -> str:
    """Directives of mkdocstrings for all that a module exports."""
    names = [name for name in import_module(module).__all__ if not name.startswith("__")]
    return (
        "\n\n".join(f"## {name}\n\n::: {module}.{name}\n    options: {{heading_level: 3}}" for name in names)
        + "\n"
    )
