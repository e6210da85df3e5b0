"""Wheels of this tree, in environments of their own; nothing comes from the network."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import CONFIGS

ROOT = CONFIGS.parent


@dataclass(frozen=True)
class Installed:
    """A wheel, and an environment that it was installed into.

    Attributes:
        wheel: The file.
        bin: Folder of the environment's programs.
    """

    wheel: Path
    bin: Path

    @property
    def packages(self) -> Path:
        """Where the environment has its packages."""
        (found,) = (self.bin.parent / "lib").glob("python*/site-packages")
        return found

    def run(self, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        program = str(self.bin / command[0])
        return subprocess.run(
            [program, *command[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )


def build_wheel(folder: Path) -> Path:
    """The wheel of this tree."""
    for needed in ("hatchling", "pip"):
        if find_spec(needed) is None:
            pytest.skip(f"the wheel is built by hatchling and installed by pip; {needed} is not installed")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Installed:
    """Install a wheel, and none of its dependencies, into a new environment."""
    venv.create(folder, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True)
    return Installed(wheel, folder / "bin")


def link_packages(names: list[str], into: Path) -> None:
    """Link packages of the environment of the tests, and what they depend on, into another one's folder."""
    for found in needed_by(names).values():
        tops = {file.parts[0] for file in found.files or [] if file.parts[0] not in ("..", "__pycache__")}
        for top in tops:
            if not (into / top).exists():
                (into / top).symlink_to(Path(str(found.locate_file(top))))


def needed_by(names: list[str]) -> dict[str, Distribution]:
    """The distributions of these names and all that they depend on."""
    found: dict[str, Distribution] = {}
    waiting = [Requirement(name) for name in names]
    while waiting:
        wanted = waiting.pop()
        if wanted.name.lower() in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        found[wanted.name.lower()] = distribution(wanted.name)
        waiting += map(Requirement, found[wanted.name.lower()].requires or [])
    return found
