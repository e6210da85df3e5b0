"""Calibration of a model's probabilities, and its risk-coverage curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.metrics import ECE_BINS, Array, calibration_error, confidence_bins


@dataclass(frozen=True)
class ConfidenceBin:
    """Clips of similar confidence: their number, mean confidence and accuracy."""

    clips: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """Confidence of a model against its accuracy.

    Attributes:
        ece: Expected calibration error of the predicted class (Guo et al. 2017), as in `metrics.score`.
        classwise_ece: Mean of `class_errors` (Kull et al. 2019; the static calibration error of Nixon et al. 2019).
        class_errors: Calibration error of each class's probability, over the clips of all classes.
        bins: Reliability of the predicted class.
        class_bins: Reliability of each class's probability.
    """

    ece: float
    classwise_ece: float
    class_errors: list[float]
    bins: list[ConfidenceBin]
    class_bins: list[list[ConfidenceBin]]


def calibration(predictions: Predictions) -> Calibration:
    """Compare the probabilities of a model with observed frequencies."""
    confidence, right, labels = predictions.confidence, predictions.right, predictions.labels
    statements = [(of_class, labels == index) for index, of_class in enumerate(predictions.probabilities.T)]
    errors = [calibration_error(*statement) for statement in statements]
    return Calibration(
        calibration_error(confidence, right),
        sum(errors) / len(errors),
        errors,
        reliability_bins(confidence, right),
        [reliability_bins(*statement) for statement in statements],
    )


def reliability_bins(confidence: Array, right: NDArray[np.bool_]) -> list[ConfidenceBin]:
    """The non-empty ECE bins of (clips,) probabilities and (clips,) bool outcomes."""
    bins = confidence_bins(confidence)
    groups = [bins == index for index in range(ECE_BINS)]
    return [
        ConfidenceBin(int(group.sum()), float(confidence[group].mean()), float(right[group].mean()))
        for group in groups
        if group.any()
    ]


@dataclass(frozen=True)
class RiskCoverage:
    """Risk-coverage curve: the error rate if only the clips of highest confidence are answered.

    Attributes:
        coverage: Share of answered clips, increasing to 1.
        risk: Error rate among the answered clips.
        aurc: Area under the curve, the mean risk over all coverages (Geifman et al. 2019); 0 is best.
    """

    coverage: list[float]
    risk: list[float]
    aurc: float


def risk_coverage(predictions: Predictions) -> RiskCoverage:
    """Compute the curve by answering clips in order of decreasing confidence.

    Clips of equal confidence have no order: each counts with their mean error.
    """
    wrong = (~predictions.right).astype(np.float64)  # (clips,)
    _, group, clips = np.unique(-predictions.confidence, return_inverse=True, return_counts=True)
    errors = np.repeat(np.bincount(group, weights=wrong) / clips, clips)  # (clips,), highest confidence first
    answered = np.arange(1, len(errors) + 1)
    risk = errors.cumsum() / answered  # (clips,)
    return RiskCoverage((answered / len(errors)).tolist(), risk.tolist(), float(risk.mean()))
