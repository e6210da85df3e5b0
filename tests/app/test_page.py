"""The page in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.app.conftest import Page
from tests.conftest import TONES_HZ

WIDTHS_PX = [360, 1280]
FILE = "#recording input[type=file]"
TIMEOUT_MS = 120_000
"""For a machine that does much else."""

READY = "#label:not([disabled])"

CUT = """() => [...document.querySelectorAll('.notice *, .intro *, .examples *, #label, #answer *')]
    .filter(of => !of.closest('.strip, svg') && of.getClientRects().length)
    .filter(of => of.getBoundingClientRect().right > innerWidth || of.getBoundingClientRect().left < 0
        || (of.clientWidth && of.scrollWidth > of.clientWidth + 1))
    .map(of => of.outerHTML.slice(0, 80))"""
"""Elements that stand out of the window or hide a part of their content."""

CONTRASTS = """() => {
    const numbers = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
    const ground = of => {
        for (; of; of = of.parentElement) {
            const colour = numbers(getComputedStyle(of).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const shown = of => of.checkVisibility({opacityProperty: true, visibilityProperty: true})
        && of.getClientRects().length && !of.closest(':disabled, .timeline svg');
    const own = of => [...of.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    return [...document.querySelectorAll('.gradio-container *')].filter(of => own(of) && shown(of)).map(of => {
        const pair = [light(numbers(getComputedStyle(of).color)), light(ground(of))].sort((a, b) => b - a);
        return [of.textContent.trim().slice(0, 40), (pair[0] + 0.05) / (pair[1] + 0.05)];
    });
}"""
"""Each visible text with the contrast to its ground, by WCAG 2.2."""


@pytest.fixture
def view(browser: Any, page: Page) -> Iterator[Callable[..., Any]]:
    """Open the page in a window of its own; the end checks what it reported and whom it asked."""
    opened = []
    told: list[str] = []
    hosts: set[str] = set()

    def open_view(width_px: int = 1280, theme: str = "light") -> Any:
        context = browser.new_context(viewport={"width": width_px, "height": 800}, color_scheme=theme)
        opened.append(context)
        tab = context.new_page()
        tab.set_default_timeout(TIMEOUT_MS)
        tab.on("request", lambda request: hosts.add(urlsplit(request.url).hostname or ""))
        tab.on("console", lambda message: told.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: told.append(str(error)))
        tab.goto(page.url)
        tab.wait_for_selector("#label")
        tab.wait_for_selector(FILE, state="attached")
        return tab

    yield open_view
    for context in opened:
        context.close()
    assert told == []
    assert hosts <= {"127.0.0.1", ""}  # `data:` and `blob:` have none
    assert page.uploads() == []


def answer_to(tab: Any, path: Path) -> Any:
    """Send a file and wait for what the page says."""
    tab.set_input_files(FILE, path)
    tab.click(READY)
    return tab.wait_for_selector(".answer, .error")


def test_the_first_line_says_what_the_page_is_not_for(view: Callable[..., Any]) -> None:
    first = view().inner_text(".gradio-container").strip().splitlines()[0]
    assert "not what a person feels" in first
    assert "Article 5(1)(f)" in first
    assert "Article 50(3)" in first


def test_a_short_recording_has_one_label(view: Callable[..., Any], recordings: Path) -> None:
    tab = view()
    answer = answer_to(tab, recordings / "angry.wav").inner_text()
    assert answer.startswith("angry.wav")
    assert any(name in tab.inner_text(".answer h2") for name in TONES_HZ)
    assert tab.locator(".bars tr").count() == len(TONES_HZ)
    assert tab.locator(".timeline path").count() == tab.locator(".timeline img").count() == 1
    assert tab.locator(".segments").count() == 0


def test_a_long_recording_has_segments_and_gaps(view: Callable[..., Any], recordings: Path) -> None:
    tab = view()
    answer_to(tab, recordings / "conversation.wav")
    assert tab.locator(".segments tbody tr").count() > 5
    assert tab.locator(".strip .gap").count() > 2
    legend = tab.inner_text(".legend")
    assert "no speech" in legend
    assert any(name in legend for name in TONES_HZ)


@pytest.mark.parametrize(("name", "reason"), [("junk.wav", "cannot be read"), ("empty.wav", "empty")])
def test_what_is_no_recording_is_told_in_one_line(
    browser: Any, page: Page, tmp_path: Path, name: str, reason: str
) -> None:
    (tmp_path / "junk.wav").write_bytes(b"RIFF" + bytes(range(256)) * 20)
    (tmp_path / "empty.wav").touch()
    with browser.new_context() as context:  # the player reports these files on the console
        tab = context.new_page()
        tab.set_default_timeout(TIMEOUT_MS)
        tab.goto(page.url)
        tab.wait_for_selector("#label")
        told = answer_to(tab, tmp_path / name).inner_text()
    assert reason in told
    assert "Traceback" not in told
    assert page.uploads() == []


@pytest.mark.parametrize("width_px", WIDTHS_PX)
def test_nothing_is_cut_and_nothing_scrolls_sideways(
    view: Callable[..., Any], recordings: Path, width_px: int
) -> None:
    tab = view(width_px)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width_px
    for name in ("angry.wav", "conversation.wav"):
        tab.reload()
        answer_to(tab, recordings / name)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width_px
        assert tab.evaluate(CUT) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(
    view: Callable[..., Any], recordings: Path, theme: str
) -> None:
    tab = view(theme=theme)
    found = tab.evaluate(CONTRASTS)
    answer_to(tab, recordings / "conversation.wav")
    found += tab.evaluate(CONTRASTS)
    assert len(found) > 30
    assert [(text, contrast) for text, contrast in found if contrast < 4.5] == []


def test_the_keyboard_alone_gets_an_answer(view: Callable[..., Any], recordings: Path) -> None:
    tab = view()
    # The first listener turns on the interception of file choosers, but nothing waits until it is on: a chooser
    # that opens sooner is cancelled by Chromium, and is never reported.
    tab.on("filechooser", lambda chooser: None)
    reach(tab, "Drop")
    with tab.expect_file_chooser() as chosen:
        tab.keyboard.press("Enter")
    chosen.value.set_files(recordings / "angry.wav")
    tab.wait_for_selector(READY)
    reach(tab, "Label the recording")
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".answer")


def test_a_generated_voice_is_labelled(view: Callable[..., Any]) -> None:
    tab = view()
    reach(tab, "angry:")
    tab.keyboard.press("Enter")
    tab.click(READY)
    assert tab.wait_for_selector(".answer").inner_text().startswith("angry.wav")


def test_what_the_microphone_hears_is_labelled(view: Callable[..., Any]) -> None:
    tab = view()
    tab.click("#recording [aria-label='Record audio'], #recording [aria-label='Microphone']")
    tab.click("#recording .record-button")
    tab.wait_for_timeout(1500)
    tab.click("#recording .stop-button")
    tab.click(READY)
    tab.wait_for_selector(".answer")


def reach(tab: Any, text: str) -> None:
    """Press Tab until a control with a text has the focus."""
    for _ in range(40):
        tab.keyboard.press("Tab")
        if text in tab.evaluate("document.querySelector('button:focus')?.innerText || ''"):
            return
    raise AssertionError(f"Tab never reaches {text}")
