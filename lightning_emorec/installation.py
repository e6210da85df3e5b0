"""The installed command name, configs and sweep files."""

from __future__ import annotations

import sys
from pathlib import Path

FOLDERS = ("configs/", "sweeps/")
"""Relative folders of the files that are installed with the package."""

_PACKAGE = Path(__file__).parent
# In a wheel the folders are inside the package; in a clone they are beside it.
_ROOT = _PACKAGE if (_PACKAGE / FOLDERS[0]).is_dir() else _PACKAGE.parent

_WRITTEN = "--resolve_to"  # the one flag whose value is a YAML file to write


def command_name() -> str:
    """The command that started this process, as a user would type it."""
    script = "lightning-emorec"
    return script if Path(sys.argv[0]).name == script else "python -m lightning_emorec"


def installed_path(text: str) -> str:
    """The absolute path of an installed config or sweep file if `text` is its relative path; else the unchanged text.

    A file in the working directory takes precedence; while jsonargparse reads a YAML file, that is the folder of the
    YAML file.
    """
    if not (text.startswith(FOLDERS) and text.endswith(".yaml")) or Path(text).exists():
        return text
    installed = _ROOT / text
    return str(installed) if installed.is_file() else text


def with_installed_paths(args: list[str]) -> list[str]:
    """A command line with `installed_path` applied to each VALUE and each --flag=VALUE.

    Arguments after `--` are not changed: they are for child processes, which apply this function themselves.
    """
    cut = args.index("--") if "--" in args else len(args)
    before = ["", *args]
    return [
        arg if _WRITTEN in (flag, arg.partition("=")[0]) else _with_installed_path(arg)
        for flag, arg in zip(before, args[:cut], strict=False)
    ] + args[cut:]


def _with_installed_path(arg: str) -> str:
    flag, equals, value = arg.partition("=") if arg.startswith("-") else ("", "", arg)
    return f"{flag}{equals}{installed_path(value)}"
