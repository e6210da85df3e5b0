from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree

import pytest
import torch

from lightning_emorec.evaluation.breakdown import ActorRow, ConfidenceBin
from lightning_emorec.evaluation.plots import (
    actors_figure,
    confusion_figure,
    curves_figure,
    reliability_figure,
    weights_figure,
)

COUNTS = torch.tensor([[3, 1], [0, 5]])


def texts(svg: str) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize(
    "svg",
    [
        confusion_figure(COUNTS, ["calm", "angry"]),
        actors_figure([ActorRow("1", 4, 0.5)], 0.5, 0.25),
        weights_figure({"sound": 1.0, "words": 0.0}),
        reliability_figure([ConfidenceBin(4, 0.9, 0.5)]),
        curves_figure({"training loss": {0: 2.0, 1: 1.0}}, {}),
    ],
    ids=["confusion", "actors", "weights", "reliability", "curves"],
)
def test_a_figure_is_a_lone_svg_element(svg: str) -> None:
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert svg.startswith("<svg")
    assert len(texts(svg)) > 3


def test_the_confusion_matrix_shows_percent_of_the_row_and_clips() -> None:
    shown = texts(confusion_figure(COUNTS, ["calm", "angry"]))
    assert {"75", "3", "25", "1", "100", "5"} <= set(shown)
    assert "0" not in shown


def test_names_are_shown_as_they_are() -> None:
    assert "<$x^2$ & co>" in texts(confusion_figure(COUNTS, ["calm", "<$x^2$ & co>"]))


def test_of_many_actors_those_with_the_most_clips_are_drawn() -> None:
    rows = [ActorRow(f"actor{number}", number, 0.5) for number in range(1, 61)]
    drawn = [
        text
        for text in texts(actors_figure(rows, 0.5, 0.25))
        if text.startswith("actor") and text[5].isdigit()
    ]
    assert len(drawn) == 40
    assert drawn[0] == "actor21 (21)"


def test_the_same_figure_is_the_same_text() -> None:
    assert weights_figure({"sound": 1.0}) == weights_figure({"sound": 1.0})


def test_drawing_leaves_pyplot_alone() -> None:
    before = "matplotlib.pyplot" in sys.modules
    weights_figure({"sound": 1.0})
    assert ("matplotlib.pyplot" in sys.modules) == before
