"""The commands in the fenced blocks of README.md, CONTRIBUTING.md and docs/."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^( *)```(sh|bash|text)\n(.*?)^\1```", flags=re.DOTALL | re.MULTILINE)


class Command(NamedTuple):
    """A command: the page that has it, and its words."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def commands() -> list[Command]:
    """Every command of every page, in order; of blocks of text, the lines that begin with a prompt."""
    return [
        Command(page.relative_to(ROOT).as_posix(), words)
        for page in PAGES
        for _, kind, body in BLOCK.findall(page.read_text(encoding="utf8"))
        for words in commands_of(body, prompted=kind == "text")
    ]


def commands_of(block: str, prompted: bool = False) -> list[tuple[str, ...]]:
    """The commands of a block, without environment, redirections and comments; its own variables are replaced."""
    known: dict[str, str] = {}
    found = []
    for line in re.sub(r"\\\n\s*", "", block).splitlines():
        if prompted and not line.lstrip().startswith("$ "):
            continue
        for name, value in known.items():
            line = re.sub(rf"\${name}\b", lambda _, value=value: value, line)
        line = re.sub(r"(^|\s)#.*", "", line.lstrip(" $") if prompted else line)
        for part in re.split(r";(?=\s)", line):
            words = shlex.split(part)
            known |= {
                word.partition("=")[0]: word.partition("=")[2] for word in words if re.match(r"\w+=", word)
            }
            while words and re.match(r"\w+=|export$", words[0]):
                words = words[1:]
            for stop in ("|", "&", ">"):
                words = words[: words.index(stop)] if stop in words else words
            if words:
                found.append(tuple(words))
    return found


def verb_of(command: Command) -> list[str] | None:
    """The verb of this package with its arguments; None where a command runs something else."""
    words = list(command.words)
    if words[0] == "lightning-emorec":
        return words[1:]
    if "-m" in words and words[words.index("-m") + 1 :][:1] == ["lightning_emorec"]:
        return words[words.index("-m") + 2 :]
    return None
