"""What holds for the package as a whole: its stages, the length of its files, what an import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lightning_emorec

PACKAGE = Path(lightning_emorec.__file__).parent
TESTS = Path(__file__).parents[1]

STAGES = """
    errors user_caches installation renamed config_loader types atomic_write hashing locks progress nested
    sqlite_store run_paths checkpoint_file table speaker_names corpora splits audio augment features dataset
    training_data datamodule speaker_scores part_logits confidence metrics branches fusion inference validated jobs
    distributed loggers callbacks runs evaluation recognition export app commands cli __main__
""".split()  # noqa: SIM905 - the design's own line

LONGEST_FILE = 300

HEAVY = {"whisper", "transformers", "wandb", "sklearn"}
"""Slow to import and needed by few runs."""


class Imports(ast.NodeVisitor):
    """Collects the dotted names that a module imports when it runs; type checkers alone see the others.

    Args:
        in_functions: Whether to look into functions, whose imports wait until they are called.
    """

    def __init__(self, source: str, in_functions: bool) -> None:
        self.in_functions = in_functions
        self.names: list[str] = []
        self.visit(ast.parse(source))

    def visit_If(self, node: ast.If) -> None:
        type_checking = ast.unparse(node.test).endswith("TYPE_CHECKING")
        for child in node.orelse if type_checking else [*node.body, *node.orelse]:
            self.visit(child)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if self.in_functions:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.names += [alias.name for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.names += [f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names]


def imports_to_the_right(source: str, stage: str) -> list[str]:
    """Imports of a module of `stage` from stages that come after it, and relative ones, which hide theirs."""
    later = STAGES[STAGES.index(stage) + 1 :]
    names = Imports(source, in_functions=True).names
    own = [name for name in names if name.startswith((".", "lightning_emorec."))]
    return [name for name in own if name.startswith(".") or name.split(".")[1] in later]


def heavy_imports(source: str) -> list[str]:
    """Imports of heavy libraries that importing a module would bring along."""
    names = Imports(source, in_functions=False).names
    return [name for name in names if name.partition(".")[0] in HEAVY]


def stage_of(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_module_belongs_to_a_stage() -> None:
    assert {stage_of(module) for module in PACKAGE.rglob("*.py")} <= {*STAGES, "__init__"}


def test_modules_import_only_from_stages_to_their_left() -> None:
    found = {
        str(module.relative_to(PACKAGE)): wrong
        for module in sorted(PACKAGE.rglob("*.py"))
        if stage_of(module) != "__init__"
        and (wrong := imports_to_the_right(module.read_text(encoding="utf8"), stage_of(module)))
    }
    assert found == {}


def test_contributing_documents_the_order_of_the_stages() -> None:
    text = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf8")
    assert text.partition("```text")[2].partition("```")[0].split() == STAGES


@pytest.mark.parametrize(
    "source",
    [
        "from lightning_emorec.fusion import Average",
        "from lightning_emorec import fusion",
        "import lightning_emorec.fusion.simple_rules",
        "def late():\n    from lightning_emorec.fusion import Average",
        "from ..fusion import Average",
    ],
)
def test_an_import_from_a_later_stage_is_found(source: str) -> None:
    assert len(imports_to_the_right(source, "branches")) == 1


@pytest.mark.parametrize(
    "source",
    [
        "from lightning_emorec.types import Batch",
        "from lightning_emorec import __version__",
        "from lightning_emorec.run_paths import best_checkpoint",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from lightning_emorec.fusion import Average",
    ],
)
def test_imports_to_the_left_and_for_type_checkers_are_allowed(source: str) -> None:
    assert imports_to_the_right(source, "branches") == []


@pytest.mark.parametrize("folder", [PACKAGE, TESTS], ids=["package", "tests"])
def test_no_file_is_longer_than_a_reader_can_hold(folder: Path) -> None:
    lines = {str(path): len(path.read_text(encoding="utf8").splitlines()) for path in folder.rglob("*.py")}
    assert {path: count for path, count in lines.items() if count > LONGEST_FILE} == {}


def test_importing_the_package_is_instant() -> None:
    code = "import lightning_emorec, sys; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"torch", "lightning", "numpy"}.isdisjoint(result.stdout.split())


def test_pretrained_libraries_are_imported_where_they_are_used() -> None:
    found = {
        str(module.relative_to(PACKAGE)): heavy
        for module in PACKAGE.rglob("*.py")
        if (heavy := heavy_imports(module.read_text(encoding="utf8")))
    }
    assert found == {}


def test_a_pretrained_library_at_the_top_of_a_module_is_found() -> None:
    assert heavy_imports("from whisper import load_model\ndef f():\n    import wandb") == [
        "whisper.load_model"
    ]
