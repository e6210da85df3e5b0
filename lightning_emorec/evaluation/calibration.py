"""How far a model's probabilities can be believed, and what it gains by abstaining."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.metrics import ECE_BINS, calibration_error, confidence_bins


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
        ece: Expected calibration error of the predicted class (Guo et al. 2017), as `metrics.score` has it.
        classwise_ece: Mean of `class_errors` (Kull et al. 2019; the static calibration error of Nixon et al. 2019).
        class_errors: The calibration error of each class's probability over all clips, the class's or not.
        bins: Reliability of the predicted class.
        class_bins: Reliability of each class's probability.
    """

    ece: float
    classwise_ece: float
    class_errors: list[float]
    bins: list[ConfidenceBin]
    class_bins: list[list[ConfidenceBin]]


def calibration(predictions: Predictions) -> Calibration:
    """Compare the probabilities of a model with how often they come true."""
    probabilities, labels = torch.from_numpy(predictions.probabilities), torch.from_numpy(predictions.labels)
    confidence, right = torch.from_numpy(predictions.confidence), torch.from_numpy(predictions.right)
    statements = [(of_class, labels == index) for index, of_class in enumerate(probabilities.unbind(dim=-1))]
    errors = [calibration_error(*statement) for statement in statements]
    return Calibration(
        calibration_error(confidence, right),
        sum(errors) / len(errors),
        errors,
        reliability_bins(confidence, right),
        [reliability_bins(*statement) for statement in statements],
    )


def reliability_bins(confidence: Tensor, right: Tensor) -> list[ConfidenceBin]:
    """The bins that ECE is computed over, without empty ones.

    Args:
        confidence: (clips,) probability of a statement about each clip.
        right: (clips,) bool, whether it holds.
    """
    bins = confidence_bins(confidence)
    groups = [bins == index for index in range(ECE_BINS)]
    return [
        ConfidenceBin(int(group.sum()), float(confidence[group].mean()), float(right[group].double().mean()))
        for group in groups
        if group.any()
    ]


@dataclass(frozen=True)
class RiskCoverage:
    """Share of errors among the clips that a model answers, if it answers those of highest confidence only.

    Attributes:
        coverage: Share of the clips that is answered, rising to 1.
        risk: Share of errors among them.
        aurc: Area under the curve, the mean risk over all coverages (Geifman et al. 2019); 0 is best.
    """

    coverage: list[float]
    risk: list[float]
    aurc: float


def risk_coverage(predictions: Predictions) -> RiskCoverage:
    """Answer one clip more at a time, the highest confidence first.

    Clips of equal confidence have no order, so each counts as the mean error of them all.
    """
    wrong = (~predictions.right).astype(np.float64)  # (clips,)
    _, group, clips = np.unique(-predictions.confidence, return_inverse=True, return_counts=True)
    errors = np.repeat(np.bincount(group, weights=wrong) / clips, clips)  # (clips,), highest confidence first
    answered = np.arange(1, len(errors) + 1)
    risk = errors.cumsum() / answered  # (clips,)
    return RiskCoverage((answered / len(errors)).tolist(), risk.tolist(), float(risk.mean()))
