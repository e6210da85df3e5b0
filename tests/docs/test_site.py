"""The drawing of the stages is that of the code, and the pages of the site are in its table of contents."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stages", ROOT / "docs" / "hooks" / "stages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_drawing_is_up_to_date(stages: ModuleType) -> None:
    drawn = stages.DRAWING.read_text(encoding="utf8")
    assert drawn == stages.svg(), "run python docs/hooks/stages.py"


def test_an_arrow_leads_to_an_earlier_stage_and_follows_from_no_others(stages: ModuleType) -> None:
    order = stages.stage_order()
    for stage, others in stages.arrows().items():
        assert all(order.index(other) < order.index(stage) for other in others)
        assert not any(one in stages.below(other) for one in others for other in others)
    assert stages.arrows()["fusion"] == ["branches"]


def test_every_page_is_in_the_table_of_contents() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf8").partition("\nnav:")[2]
    named = set(re.findall(r"[\w/]+\.md", nav))
    assert named == {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}


def test_the_readme_is_short_and_its_links_lead_to_pages() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf8")
    assert len(text.splitlines()) <= 150
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert len(links) > 20
    for link in links:
        file, _, anchor = link.partition("#")
        page = (ROOT / file).read_text(encoding="utf8") if anchor else ""
        headings = re.findall(r"^#+ (.+)$", page, flags=re.MULTILINE)
        assert (ROOT / file).is_file()
        assert not anchor or anchor in [
            re.sub(r"[^\w-]", "", head.lower().replace(" ", "-")) for head in headings
        ]
