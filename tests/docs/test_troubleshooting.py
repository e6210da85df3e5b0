"""Each message that docs/troubleshooting.md quotes is one that the code makes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

import lightning_emorec

ROOT = Path(__file__).parents[2]
PACKAGE = Path(lightning_emorec.__file__).parent
PAGE = ROOT / "docs" / "troubleshooting.md"
QUOTED = re.findall(r"^> `(.+)`$", PAGE.read_text(encoding="utf8"), flags=re.MULTILINE)

ANY = "\0"
"""Stands in a text of the source for a value that is known only when the code runs."""


def texts_of(node: ast.expr | None, names: dict[str, list[ast.expr]], depth: int = 3) -> list[str]:
    """What an expression may be, with `ANY` for what only a run can tell."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        parts = [texts_of(part, names, depth) for part in node.values]
        return ["".join(choice) for choice in product(*parts)]
    if isinstance(node, ast.FormattedValue):
        return texts_of(node.value, names, depth)
    if isinstance(node, ast.IfExp):
        return texts_of(node.body, names, depth) + texts_of(node.orelse, names, depth)
    if isinstance(node, ast.Name) and depth and 0 < len(names.get(node.id, [])) <= 4:
        return [text for value in names[node.id] for text in texts_of(value, names, depth - 1)]
    return [ANY]


def assigned(tree: ast.AST) -> dict[str, list[ast.expr]]:
    """Name -> the values that a module assigns to it."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            if isinstance(target, ast.Name):
                found.setdefault(target.id, []).append(node.value)  # type: ignore[attr-defined]
    return found


def messages(source: str) -> Iterator[str]:
    """The messages of the errors that a module raises, and its texts that begin as such a message does."""
    tree = ast.parse(source)
    names = assigned(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("EmorecError", "UnavailableError"):
            for one, two, three in product(*(texts_of(argument, names) for argument in node.args[:3])):
                yield f"expected {one}; found {two}; {three}"
        elif isinstance(node, ast.JoinedStr):
            yield from (text for text in texts_of(node, names) if text.startswith("expected "))


@pytest.fixture(scope="module")
def made() -> list[str]:
    files = [path.read_text(encoding="utf8") for path in PACKAGE.rglob("*.py")]
    shell = re.sub(r"\$+\([^)]*\)+", ANY, (ROOT / "Makefile").read_text(encoding="utf8"))
    joined = re.sub(r'" \\\s*"', " ", shell)
    return [message for source in files for message in messages(source)] + re.findall(
        r'"(expected [^"]*)"', joined
    )


def is_made(quoted: str, made: list[str]) -> bool:
    """Whether a quoted text, in which `...` stands for anything, is one of the messages."""
    pattern = re.compile(".*".join(map(re.escape, quoted.split("..."))), flags=re.DOTALL)
    return any(pattern.fullmatch(message) for message in made)


@pytest.mark.parametrize("quoted", QUOTED)
def test_a_quoted_message_is_one_that_the_code_makes(quoted: str, made: list[str]) -> None:
    assert is_made(quoted, made)


def test_about_twenty_messages_are_quoted() -> None:
    assert 20 <= len(QUOTED) == len(set(QUOTED)) <= 35


def test_another_message_is_found_out(made: list[str]) -> None:
    assert is_made("expected a finished run; found none in ...; train a model with ...", made)
    assert not is_made("expected a finished race; found none in ...; train a model with ...", made)


def test_texts_are_followed_through_names_and_choices() -> None:
    source = 'fix = "set a" if x else "set b"\nraise EmorecError(f"at least {n}", f"{n}", fix)'
    assert list(messages(source)) == [f"expected at least {ANY}; found {ANY}; set {end}" for end in "ab"]
