"""Reads pages as a browser or a reader would."""

from __future__ import annotations

import re
from html.parser import HTMLParser


def words(html: str) -> str:
    """The page as it is read: no style, no figures, no tags, single spaces."""
    text = re.sub(r"<(style|svg).*?</\1>", "", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", text).replace("&nbsp;", " ").split())


class Tags(HTMLParser):
    """Notes what a page loads and which tags are left open."""

    VOID = frozenset({"meta", "br", "wbr"})

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [
            value or ""
            for name, value in attrs
            if name in {"src", "href", "xlink:href", "data", "poster"} and not (value or "").startswith("#")
        ]
        if tag in {"script", "link", "iframe"}:
            self.loads.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
