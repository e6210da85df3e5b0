"""What holds for the files beside the package: versions agree, names point at something, nothing is too big."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lightning_emorec import __version__

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "lightning_emorec"

LARGEST_BYTES = 1_000_000
DATA_SUFFIXES = {
    *(".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".mp4"),
    *(".pt", ".pth", ".ckpt", ".safetensors", ".onnx", ".bin", ".h5"),
    *(".npy", ".npz", ".pkl", ".joblib", ".parquet", ".zip", ".gz", ".tar", ".7z"),
}


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """Files that are in the repository or would be added to it."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"not a git checkout, or no git: {error}")
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf8").splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def requirements() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    extras = project["optional-dependencies"].values()
    named = [
        Requirement(text)
        for text in [*project["dependencies"], *(text for extra in extras for text in extra)]
    ]
    return [requirement for requirement in named if requirement.name != project["name"]]


def test_constraints_are_names_and_exact_versions_only() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf8")
    pin = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+")
    assert [line for line in text.splitlines() if not line.startswith("#") and not pin.fullmatch(line)] == []
    assert "://" not in text


def test_constraints_meet_every_bound_of_pyproject() -> None:
    pinned = pins()
    unmet = [
        str(requirement)
        for requirement in requirements()
        if not requirement.specifier.contains(pinned.get(canonicalize_name(requirement.name), "0"))
    ]
    assert unmet == []


def test_every_library_that_the_package_imports_is_declared() -> None:
    trees = [ast.parse(path.read_text(encoding="utf8")) for path in PACKAGE.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    libraries = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names - {PACKAGE.name}
    declared = {canonicalize_name(requirement.name) for requirement in requirements()}
    providers = packages_distributions()
    undeclared = {
        library
        for library in libraries
        if declared.isdisjoint(canonicalize_name(name) for name in providers.get(library, []))
    }
    assert undeclared == set()


def test_no_audio_data_or_weights_are_in_the_tree(files: list[Path]) -> None:
    assert [path for path in files if path.suffix.lower() in DATA_SUFFIXES] == []


def test_no_file_in_the_tree_is_large(files: list[Path]) -> None:
    assert [path for path in files if path.stat().st_size > LARGEST_BYTES] == []


def test_every_config_that_is_named_exists(files: list[Path]) -> None:
    naming = [path for path in files if path.suffix in {".md", ".yaml", ".toml"} or path.name == "Makefile"]
    named = {
        (path.name, config)
        for path in naming
        for config in re.findall(r"(?:configs|sweeps)/[\w./-]+\.yaml", path.read_text(encoding="utf8"))
    }
    assert ("README.md", "configs/fused.yaml") in named
    assert {(name, config) for name, config in named if not (ROOT / config).is_file()} == set()


def test_every_link_of_the_readme_to_a_file_leads_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(
        re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf8"), flags=re.MULTILINE)
    )
    named = set(
        re.findall(r"\bmake ([a-z]+)", "\n".join(code_of((ROOT / "README.md").read_text(encoding="utf8"))))
    )
    assert {"demo", "test"} <= named <= targets


def test_the_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf8"))
    newest = re.search(
        r"^## \[([\d.]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf8"), flags=re.MULTILINE
    )
    assert newest is not None
    assert [citation["version"], newest[1]] == [__version__, __version__]


def code_of(markdown: str) -> list[str]:
    """Code blocks and inline code of a Markdown text."""
    return re.findall(r"```.*?```|`[^`\n]+`", markdown, flags=re.DOTALL)
