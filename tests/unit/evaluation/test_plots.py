from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from lightning_emorec.evaluation.calibration import ConfidenceBin, RiskCoverage
from lightning_emorec.evaluation.error_analysis import ActorRow
from lightning_emorec.evaluation.plots import (
    confusion_figure,
    curves_figure,
    reliability_figure,
    risk_figure,
)
from lightning_emorec.evaluation.system_plots import actors_figure, strip_figure, weights_figure

COUNTS = np.array([[3, 1], [0, 5]])


def texts(svg: str) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize(
    "svg",
    [
        confusion_figure(COUNTS, ["calm", "angry"]),
        actors_figure([ActorRow("1", 4, 0.5)], 0.5, 0.25),
        strip_figure(
            {"sound": {"8": 0.5, "9": 1.0}, "words": {"8": 0.25, "9": 0.0}}, {"sound": 0.6, "words": 0.1}
        ),
        weights_figure({"out of fold": {"sound": [1.0, 0.8], "words": [0.0, 0.2]}}),
        reliability_figure([ConfidenceBin(4, 0.9, 0.5)]),
        risk_figure(RiskCoverage([0.5, 1.0], [0.0, 0.5], 0.25)),
        curves_figure({"training loss": {0: 2.0, 1: 1.0}}, {}),
    ],
    ids=["confusion", "actors", "strip", "weights", "reliability", "risk", "curves"],
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


def test_up_to_eight_actors_are_named_in_a_strip() -> None:
    def named(actors: int) -> list[str]:
        accuracies = {str(number): 0.5 for number in range(actors)}
        drawn = texts(strip_figure({"sound": accuracies}, {"sound": 0.5}))
        return [text for text in drawn if text.startswith("actor ")]

    assert named(8) == [f"actor {number}" for number in range(8)]
    assert named(9) == []


def test_a_strip_takes_a_system_that_lacks_an_actor() -> None:
    accuracies = {"sound": {"8": 0.5}, "words": {"8": 0.25, "9": 0.75}}
    drawn = texts(strip_figure(accuracies, {"sound": 0.5, "words": 0.5}, chance=0.125))
    assert {"sound", "words", "actor 8", "actor 9", "chance 12.5"} <= set(drawn)


def test_the_same_figure_is_the_same_text() -> None:
    assert weights_figure({"share": {"sound": [1.0]}}) == weights_figure({"share": {"sound": [1.0]}})


def test_drawing_leaves_pyplot_alone() -> None:
    before = "matplotlib.pyplot" in sys.modules
    weights_figure({"share": {"sound": [1.0]}})
    assert ("matplotlib.pyplot" in sys.modules) == before
