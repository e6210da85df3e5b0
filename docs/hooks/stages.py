"""Draws the stages of the package from the imports in its code: `python docs/hooks/stages.py` writes the SVG."""

from __future__ import annotations

import ast
from functools import cache
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "lightning_emorec"
DRAWING = ROOT / "docs" / "images" / "stages.svg"

ALONE = ("datamodule", "metrics", "inference", "cli")
"""Stages of one file that are drawn too; the other files are counted to the stages that use them."""

BOX_WIDTH, BOX_HEIGHT, GAP, ROW = 132, 30, 14, 74

STYLE = """
  .ground { fill: #ffffff; } .box { fill: #e8eaf6; stroke: #3f51b5; } .arrow { stroke: #5f6b7a; fill: none; }
  .head { fill: #5f6b7a; } text { font: 13px sans-serif; fill: #1a1a1a; text-anchor: middle; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #1e2129; } .box { fill: #2d3350; stroke: #8c9eff; } .arrow { stroke: #a9b4c2; }
    .head { fill: #a9b4c2; } text { fill: #f2f2f2; }
  }
"""


def stage_order() -> list[str]:
    """The stages in their order, as CONTRIBUTING.md lists them; a test holds that list to the code."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf8")
    return text.partition("```text")[2].partition("```")[0].split()


@cache
def imported(stage: str) -> frozenset[str]:
    """The other stages that a stage's modules import by name."""
    folder = PACKAGE / stage
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{stage}.py"]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf8")))]
    names = [
        f"{node.module}.{alias.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lightning_emorec")
        for alias in node.names
    ]
    return frozenset(name.split(".")[1] for name in names) & {*stage_order()} - {stage}


@cache
def below(stage: str) -> frozenset[str]:
    """All stages that a stage is built on, through whichever others."""
    return imported(stage).union(*(below(other) for other in imported(stage)))


def drawn() -> list[str]:
    """The stages that have a box."""
    return [stage for stage in stage_order() if (PACKAGE / stage).is_dir() or stage in ALONE]


def arrows() -> dict[str, list[str]]:
    """Stage -> the drawn stages right below it: those that no other drawn one below it is built on."""
    found = {stage: [other for other in drawn() if other in below(stage)] for stage in drawn()}
    return {
        stage: [one for one in others if not any(one in below(other) for other in others)]
        for stage, others in found.items()
    }


def rows() -> list[list[str]]:
    """The boxes by row, from the top, each as close as can be to those that are built on it."""
    height: dict[str, int] = {}  # rows below the stage
    for stage in reversed(drawn()):
        users = [user for user, others in arrows().items() if stage in others]
        height[stage] = 1 + max((height[user] for user in users), default=-1)
    return [
        [stage for stage in drawn() if height[stage] == row] for row in range(max(height.values()), -1, -1)
    ]


def svg() -> str:
    """The drawing."""
    grid = rows()
    width = max(map(len, grid)) * (BOX_WIDTH + GAP) + GAP
    height = len(grid) * ROW + 10
    place = {
        stage: (width / 2 + (column - len(row) / 2 + 0.5) * (BOX_WIDTH + GAP), 20 + number * ROW)
        for number, row in enumerate(grid)
        for column, stage in enumerate(row)
    }
    lines, boxes = [], []
    for stage, others in arrows().items():
        x, y = place[stage]
        for other in others:
            to_x, to_y = place[other][0], place[other][1] + BOX_HEIGHT
            bend = (y - to_y) / 2
            lines.append(
                f'<path class="arrow" marker-end="url(#head)" d="M{x:g},{y:g} '
                f'C{x:g},{y - bend:g} {to_x:g},{to_y + 6 + bend:g} {to_x:g},{to_y + 6:g}"/>'
            )
        boxes.append(
            f'<rect class="box" x="{x - BOX_WIDTH / 2:g}" y="{y:g}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5"/>'
            f'<text x="{x:g}" y="{y + 20:g}">{escape(stage)}</text>'
        )
    head = '<marker id="head" markerWidth="8" markerHeight="8" refX="3" refY="4" orient="auto">'
    head += '<path class="head" d="M0,1 L6,4 L0,7 z"/></marker>'
    inside = "\n".join([f'<rect class="ground" width="{width}" height="{height}" rx="6"/>', *lines, *boxes])
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
    title = "<title>Stages of the package: an arrow leads to a stage that another is built on</title>"
    return f"{opening}\n{title}\n<style>{STYLE}</style>\n<defs>{head}</defs>\n{inside}\n</svg>\n"


if __name__ == "__main__":
    DRAWING.parent.mkdir(exist_ok=True)
    DRAWING.write_text(svg(), encoding="utf8")
