"""What an installation brings along: the name of its command, and the configs and sweep files."""

from __future__ import annotations

import sys
from pathlib import Path

FOLDERS = ("configs/", "sweeps/")
"""How the path of a file that is installed with the package begins."""

_PACKAGE = Path(__file__).parent
# A wheel holds the folders inside the package; in a clone they are beside it.
_ROOT = _PACKAGE if (_PACKAGE / FOLDERS[0]).is_dir() else _PACKAGE.parent

_WRITTEN = "--resolve_to"  # the one flag whose value is a YAML file to write


def command_name() -> str:
    """The command that started this process, as a user would type it."""
    script = "lightning-emorec"
    return script if Path(sys.argv[0]).name == script else "python -m lightning_emorec"


def installed_path(text: str) -> str:
    """The path of an installed config or sweep file, if `text` names one and there is no such file here.

    Args:
        text: Any value. A relative path is sought in the working directory, which is the folder of the YAML file
            while jsonargparse reads one.

    Returns:
        An absolute path, or else the unchanged text.
    """
    if not (text.startswith(FOLDERS) and text.endswith(".yaml")) or Path(text).exists():
        return text
    installed = _ROOT / text
    return str(installed) if installed.is_file() else text


def with_installed_paths(args: list[str]) -> list[str]:
    """A command line with `installed_path` of each VALUE and of each --flag=VALUE.

    What follows `--` stays as it is: arguments of other processes, each of which does the same.
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
