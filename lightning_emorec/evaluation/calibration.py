"""How far a model's probabilities can be believed, and what it gains by a temperature or by abstaining."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from lightning_emorec.evaluation.error_analysis import ConfidenceBin, reliability_bins
from lightning_emorec.metrics import calibration_error, labelled


@dataclass(frozen=True)
class Calibration:
    """How sure a model is and how often it is right.

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


def calibration(logits: Tensor, labels: Tensor) -> Calibration:
    """Judge the probabilities of one task; clips that it does not label are left out.

    Args:
        logits: (clips, classes), unnormalised log-probabilities.
        labels: (clips,) class indices.

    Raises:
        EmorecError: No clip is labelled, or a logit is not finite.
    """
    logits, labels = labelled(logits, labels)
    probabilities = logits.softmax(dim=-1)  # (clips, classes)
    confidence, right = probabilities.amax(dim=-1), logits.argmax(dim=-1) == labels  # both (clips,)
    statements = [(of_class, labels == index) for index, of_class in enumerate(probabilities.unbind(dim=-1))]
    errors = [calibration_error(*statement) for statement in statements]
    return Calibration(
        calibration_error(confidence, right),
        sum(errors) / len(errors),
        errors,
        reliability_bins(confidence, right),
        [reliability_bins(*statement) for statement in statements],
    )


@dataclass(frozen=True)
class RiskCoverage:
    """Share of errors among the clips that a model answers, if it answers the surest ones only.

    Attributes:
        coverage: Share of the clips that is answered, rising to 1.
        risk: Share of errors among them.
        aurc: Area under the curve, the mean risk over all coverages (Geifman et al. 2019); 0 is best.
    """

    coverage: list[float]
    risk: list[float]
    aurc: float


def risk_coverage(logits: Tensor, labels: Tensor) -> RiskCoverage:
    """Answer one clip more at a time, from the surest on.

    Clips of equal confidence have no order, so each counts as the mean error of them all.

    Args:
        logits: (clips, classes), unnormalised log-probabilities.
        labels: (clips,) class indices; unlabelled clips are left out.

    Raises:
        EmorecError: No clip is labelled, or a logit is not finite.
    """
    logits, labels = labelled(logits, labels)
    confidence = logits.softmax(dim=-1).amax(dim=-1).numpy()  # (clips,)
    wrong = (logits.argmax(dim=-1) != labels).double().numpy()  # (clips,)
    _, group, clips = np.unique(-confidence, return_inverse=True, return_counts=True)
    errors = np.repeat(np.bincount(group, weights=wrong) / clips, clips)  # (clips,), the surest first
    answered = np.arange(1, len(errors) + 1)
    risk = errors.cumsum() / answered  # (clips,)
    return RiskCoverage((answered / len(errors)).tolist(), risk.tolist(), float(risk.mean()))
