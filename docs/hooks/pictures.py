"""Makes the pictures of README.md from a run on the synthetic corpus, whose voices are generated.

`python docs/hooks/pictures.py FOLDER` runs `fit --config configs/demo.yaml` in FOLDER, best an empty one
(trained branches that are there are reused), and draws the last table of the terminal and the upper part of the report.
It needs Debian's chromium.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

IMAGES = Path(__file__).parents[1] / "images"
COMMAND = ["python", "-m", "lightning_emorec", "fit", "--config", "configs/demo.yaml"]
COLUMNS, SHOWN = 88, "SYNTHETIC · demo"
REPORT = {"width": 900, "height": 600}
"""Pixels of the report that are shown."""


def terminal(folder: Path) -> str:
    """Run the command, and return its last table with its colours as ANSI codes."""
    env = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    done = subprocess.run(
        [sys.executable, *COMMAND[1:]], cwd=folder, env=env, stdout=subprocess.PIPE, text=True, check=True
    )
    lines = done.stdout.splitlines()
    last = max(number for number, line in enumerate(lines) if SHOWN in Text.from_ansi(line).plain)
    return "\n".join(lines[last:])


def draw_terminal(printed: str, file: Path) -> None:
    """Write a terminal's text as SVG, without the fonts that Rich would fetch from another host."""
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    console.print(Text(f"$ {' '.join(COMMAND)}\n...", style="bold"))
    console.print(Text.from_ansi(printed))
    plain = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    console.save_svg(
        str(file), title="lightning_emorec", code_format=plain.replace("Fira Code", "Menlo, Consolas")
    )


def draw_report(page: Path, file: Path) -> None:
    """Write the upper part of a report as PNG."""
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        view = browser.new_page(viewport=REPORT, color_scheme="light")
        view.goto(page.resolve().as_uri())
        view.screenshot(path=file)
        browser.close()


if __name__ == "__main__":
    where = Path(sys.argv[1])
    text = terminal(where)
    draw_terminal(text, IMAGES / "terminal.svg")
    report = re.findall(r"runs/demo\S*/report\.html", Text.from_ansi(text).plain)[-1]
    draw_report(where / report, IMAGES / "report.png")
