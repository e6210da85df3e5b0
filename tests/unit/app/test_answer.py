"""What the page says of segments."""

from __future__ import annotations

import re
from html import unescape

import numpy as np
import pytest

from lightning_emorec.app.answer import answer_html, clock, parts_of, percent
from lightning_emorec.app.overview import BANDS, Overview
from lightning_emorec.recognition.segment import NO_SPEECH, Segment

CLASSES = ["calm", "angry", "sad"]


def segment(start: float, end: float, label: str, *others: str, known: bool = True) -> Segment:
    if label == NO_SPEECH:
        return Segment("call.wav", start, end, NO_SPEECH)
    shares = {name: 0.6 if name == label else 0.2 for name in CLASSES}
    held = [label, *others] if known else []
    certain = not others if known else None
    return Segment("call.wav", start, end, label, 0.6, shares, held, certain, branches={"audio": shares})


def answered(*segments: Segment) -> tuple[str, str]:
    """The HTML, and its text."""
    steps = round(segments[-1].end * 50)
    overview = Overview(
        segments[-1].end, np.zeros((steps, 2), np.float32), np.zeros((steps, BANDS), np.float32)
    )
    html = answer_html(segments, overview, CLASSES, coverage=0.9)
    return html, " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def test_what_is_not_certain_is_told_with_its_set() -> None:
    html, text = answered(segment(0, 2, "calm", "sad", "angry"))
    assert "Not certain: calm, sad or angry" in text
    assert "striped: not certain" in text
    assert "doubt" in html


def test_what_is_certain_is_told_by_its_label() -> None:
    html, text = answered(segment(0, 2, "calm"))
    assert "ertain" not in text
    assert "doubt" not in html
    assert "Probability 60 %" in text


def test_a_score_of_which_nothing_is_known_is_no_probability() -> None:
    _, text = answered(segment(0, 2, "calm", known=False))
    assert "Score 60 %. How sure that is, is not known." in text


def test_a_long_recording_is_told_by_shares_of_its_speech() -> None:
    _, text = answered(
        segment(0, 6, "calm"), segment(6, 16, NO_SPEECH), segment(16, 18, "angry", "sad", "calm")
    )
    assert "calm 75 % angry 25 %" in text
    assert "Shares of 0:08.0 of speech. Certain in 75 % of it" in text
    assert "0:16.0–0:18.0 angry 60 % sad, calm" in text
    assert "0:06.0–0:16.0 no speech" in text


def test_shares_that_are_mostly_guesses_are_told_as_such() -> None:
    _, text = answered(segment(0, 6, "calm", "sad"), segment(6, 8, NO_SPEECH))
    assert "Mostly not certain: calm 100 %" in text
    assert "Nowhere certain" in text


def test_silence_has_no_label() -> None:
    _, text = answered(segment(0, 20, NO_SPEECH))
    assert "Nobody was found to speak" in text
    assert "Probabilities" not in text


def test_names_and_words_cannot_bring_markup() -> None:
    hostile = Segment("<img src=x>.wav", 0, 2, "calm", 1.0, {"calm": 1.0}, text="<script>alert(1)</script>")
    html, text = answered(hostile)
    assert "<script>" not in html
    assert "<img src=x>" not in html
    assert "<script>alert(1)</script>" in text


def test_neighbours_are_one_part_only_if_both_are_certain() -> None:
    parts = parts_of([segment(0, 2, "calm"), segment(2, 4, "calm"), segment(4, 6, "calm", "sad")])
    assert [(part.start, part.end, part.certain, part.maybe) for part in parts] == [
        (0, 4, True, []),
        (4, 6, False, ["sad"]),
    ]


def test_a_long_recording_is_drawn_in_rows_of_round_length() -> None:
    html, _ = answered(*(segment(start, start + 2, "calm") for start in range(0, 130, 2)))
    assert html.count('class="row"') == 3
    widths = [float(width) for width in re.findall(r"left:0.0%;width:([\d.]+)%", html)]
    assert widths == pytest.approx([100, 100, 100 / 6])


@pytest.mark.parametrize(
    ("time_s", "digits", "text"),
    [(0, 0, "0:00"), (59.96, 1, "1:00.0"), (61.2, 0, "1:01"), (3599.6, 0, "1:00:00"), (9.5, 1, "0:09.5")],
)
def test_times_are_read_as_on_a_clock(time_s: float, digits: int, text: str) -> None:
    assert clock(time_s, digits) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (0.001, "< 1 %"), (0.5, "50 %"), (0.999, "> 99 %"), (1, "100 %")]
)
def test_a_share_is_rounded_to_all_or_nothing_only_if_it_is_that(share: float, text: str) -> None:
    assert percent(share) == text
