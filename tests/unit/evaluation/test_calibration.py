from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from torch import Tensor

from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation import calibration as of_predictions
from lightning_emorec.evaluation.calibration import Calibration, ConfidenceBin, RiskCoverage
from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.fusion.temperature import fit_temperature
from lightning_emorec.metrics import score
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import UNLABELLED, Clip


def model(seed: int = 0, clips: int = 400, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """Logits that are as sure as they should be at scale 1, where labels are drawn from their probabilities."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(clips, 4, generator=generator, dtype=torch.float64)
    labels = torch.multinomial(logits.softmax(dim=-1), 1, generator=generator).flatten()
    return scale * logits, labels


def predictions(logits: Tensor, labels: Tensor) -> Predictions:
    ids = [str(row) for row in range(len(labels))]
    classes = [str(index) for index in range(logits.shape[-1])]
    part = PartLogits(ids, {"task": logits}, {"task": labels})
    part.logits["task"] = logits  # in float64, as the expected values are computed
    return Predictions.of(part, "task", classes, {name: Clip(name, "a", None) for name in ids})


def calibration(logits: Tensor, labels: Tensor) -> Calibration:
    return of_predictions.calibration(predictions(logits, labels))


def risk_coverage(logits: Tensor, labels: Tensor) -> RiskCoverage:
    return of_predictions.risk_coverage(predictions(logits, labels))


def surest(*probabilities: float) -> Tensor:
    """Logits of two classes that give the first these probabilities."""
    return torch.tensor([[p, 1 - p] for p in probabilities], dtype=torch.float64).log()


# calibration


def test_errors_of_two_clips_by_hand() -> None:
    # Classes 0, 1 with 0.9, 0.1 (right: 0) and 0.9, 0.1 (right: 1). Each class's two clips share a bin:
    # class 0 |0.5 - 0.9|, class 1 |0.5 - 0.1|; the predicted class as class 0.
    found = calibration(surest(0.9, 0.9), torch.tensor([0, 1]))
    assert found.ece == pytest.approx(0.4)
    assert found.class_errors == pytest.approx([0.4, 0.4])
    assert found.classwise_ece == pytest.approx(0.4)


def test_a_class_that_is_never_predicted_has_its_own_error() -> None:
    # 0.5, 0.3, 0.2 for each of 10 clips; 5 are class 0 and 5 class 1. Top label: |0.5 - 0.5| = 0.
    logits = torch.tensor([[0.5, 0.3, 0.2]], dtype=torch.float64).log().expand(10, 3)
    found = calibration(logits, torch.tensor([0] * 5 + [1] * 5))
    assert found.ece == pytest.approx(0)
    assert found.class_errors == pytest.approx([0.0, 0.2, 0.2])
    assert found.classwise_ece == pytest.approx(0.4 / 3)


def test_classwise_errors_agree_with_their_formula() -> None:
    logits, labels = model()
    probabilities, onehot = logits.softmax(dim=-1).numpy(), np.eye(4)[labels]
    edges = np.linspace(0, 1, 16)
    expected = []
    for of_class, truth in zip(probabilities.T, onehot.T, strict=True):
        inside = [(of_class > low) & (of_class <= high) for low, high in pairwise(edges)]
        expected.append(sum(abs((truth[group] - of_class[group]).sum()) for group in inside) / 400)
    assert calibration(logits, labels).class_errors == pytest.approx(expected)


def test_the_overall_error_is_that_of_the_scores() -> None:
    logits, labels = model(scale=3)
    assert calibration(logits, labels).ece == score(logits, labels)["ece"]


def test_bins_add_up_to_the_errors() -> None:
    found = calibration(*model(scale=3))

    def error(bins: list[ConfidenceBin]) -> float:
        assert sum(group.clips for group in bins) == 400
        return sum(group.clips * abs(group.accuracy - group.confidence) for group in bins) / 400

    assert error(found.bins) == pytest.approx(found.ece)
    assert [error(bins) for bins in found.class_bins] == pytest.approx(found.class_errors)


def test_a_saturated_model_fills_the_outer_bins() -> None:
    found = calibration(1000 * torch.eye(2)[[0, 1]], torch.tensor([0, 0]))
    assert found.class_bins[0] == [ConfidenceBin(1, 0.0, 1.0), ConfidenceBin(1, 1.0, 1.0)]
    assert found.bins == [ConfidenceBin(2, 1.0, 0.5)]
    assert found.class_errors == [0.5, 0.5]


# fit_temperature


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_the_temperature_undoes_a_scale(scale: float) -> None:
    assert fit_temperature(*model(clips=5000, scale=scale)) == pytest.approx(scale, rel=0.05)


def test_the_temperature_is_the_minimum_that_another_method_finds() -> None:
    logits, labels = model(scale=3)

    def loss(inverse: NDArray[np.float64]) -> float:
        return -float(log_softmax(inverse[0] * logits.numpy(), axis=1)[np.arange(400), labels].mean())

    found = minimize(loss, [1.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-15})
    assert fit_temperature(logits, labels) == pytest.approx(1 / found.x[0], rel=1e-5)


def test_the_temperature_betters_likelihood_and_calibration_and_keeps_predictions() -> None:
    logits, labels = model(scale=3)
    tempered = logits / fit_temperature(logits, labels)
    before, after = score(logits, labels), score(tempered, labels)
    assert after["nll"] < before["nll"]
    assert after["ece"] < before["ece"] / 2
    assert after["accuracy"] == before["accuracy"]


def test_a_model_that_is_always_right_gets_the_lowest_temperature() -> None:
    assert fit_temperature(surest(0.6, 0.7), torch.tensor([0, 0])) == pytest.approx(0.05)


def test_a_model_that_is_always_wrong_gets_the_highest_temperature() -> None:
    assert fit_temperature(surest(0.6, 0.7), torch.tensor([1, 1])) == pytest.approx(20)


@pytest.mark.parametrize("logits", [torch.zeros(3, 4), 1000 * torch.eye(4)[:3]])
def test_logits_that_no_temperature_betters_are_left_alone(logits: Tensor) -> None:
    assert fit_temperature(logits, torch.arange(3)) == 1.0


# risk_coverage


def test_the_curve_of_four_clips_by_hand() -> None:
    # The surest first: right (0.9), wrong (0.8), right (0.7), wrong (0.6).
    found = risk_coverage(surest(0.7, 0.9, 0.6, 0.8), torch.tensor([0, 0, 1, 1]))
    assert found.coverage == [0.25, 0.5, 0.75, 1.0]
    assert found.risk == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert found.aurc == pytest.approx((1 / 2 + 1 / 3 + 1 / 2) / 4)


def test_the_whole_curve_ends_at_the_share_of_errors() -> None:
    logits, labels = model()
    assert risk_coverage(logits, labels).risk[-1] == pytest.approx(1 - score(logits, labels)["accuracy"])


def test_a_constant_confidence_has_the_error_rate_at_every_coverage() -> None:
    # Equally sure of all four clips, one of them wrong, wherever it stands.
    for row in range(4):
        labels = torch.zeros(4, dtype=torch.int64)
        labels[row] = 1
        found = risk_coverage(surest(0.8, 0.8, 0.8, 0.8), labels)
        assert found.risk == pytest.approx([0.25] * 4)
        assert found.aurc == pytest.approx(0.25)


def test_a_model_that_is_surest_where_it_is_right_has_less_area() -> None:
    labels = torch.tensor([0, 0, 0, 1])
    good, bad = (risk_coverage(surest(*p), labels) for p in ((0.9, 0.8, 0.7, 0.6), (0.6, 0.7, 0.8, 0.9)))
    assert good.aurc == pytest.approx(1 / 16)
    assert good.aurc < bad.aurc


# What all three refuse and leave out


each_function = pytest.mark.parametrize("function", [calibration, fit_temperature, risk_coverage])


@each_function
def test_unlabelled_clips_are_left_out(function: Callable[[Tensor, Tensor], object]) -> None:
    logits, labels = model(clips=40)
    some = labels.clone()
    some[::2] = UNLABELLED
    assert function(logits, some) == function(logits[1::2], labels[1::2])


@each_function
def test_no_labelled_clip_is_refused(function: Callable[[Tensor, Tensor], object]) -> None:
    with pytest.raises(EmorecError, match="at least one labelled clip; found none"):
        function(torch.zeros(2, 3), torch.full((2,), UNLABELLED))


@each_function
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_logits_that_are_not_finite_are_refused(
    function: Callable[[Tensor, Tensor], object], value: float
) -> None:
    logits, labels = model(clips=5)
    logits[1, 2] = value
    with pytest.raises(EmorecError, match="NaN or infinity for 1 of 5 clips"):
        function(logits, labels)
