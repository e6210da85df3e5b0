"""Scores of one task's logits or confusion matrix, each in 0..1 (NLL in nats)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.errors import EmorecError
from lightning_emorec.types import UNLABELLED

if TYPE_CHECKING:
    from torch import Tensor

    from lightning_emorec.part_logits import PartLogits

Scores = dict[str, float]
"""`accuracy`, `uar`, `macro_f1`, `weighted_f1`, `nll`, `ece` and `clips`, the number they rest on."""

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

ECE_BINS = 15


def score(logits: Tensor, labels: Tensor) -> Scores:
    """Score one task; clips that it does not label are left out.

    UAR is the mean recall over the classes that occur among the labels. Macro-F1 averages over the classes
    that occur among the labels or the predictions, weighted F1 weighs each class by its share of the labels,
    both as scikit-learn does. ECE is that of Guo et al. 2017, over 15 bins of equal width of the predicted
    class's probability.

    Args:
        logits: (clips, classes), unnormalised log-probabilities.
        labels: (clips,) class indices.

    Raises:
        EmorecError: No clip is labelled, or a logit is not finite.
    """
    from torch.nn.functional import cross_entropy  # imported late: `compare` has predictions and no logits
    from torchmetrics.functional.classification import (
        multiclass_accuracy,
        multiclass_f1_score,
        multiclass_recall,
    )

    logits, labels = labelled(logits, labels)  # (clips, classes), (clips,)
    classes = logits.shape[-1]
    predicted = logits.argmax(dim=-1)  # (clips,)
    recalls = multiclass_recall(predicted, labels, classes, average="none")  # (classes,)
    return {
        "accuracy": float(multiclass_accuracy(predicted, labels, classes, average="micro")),
        "uar": float(recalls[labels.bincount(minlength=classes) > 0].mean()),
        "macro_f1": float(multiclass_f1_score(predicted, labels, classes, average="macro")),
        "weighted_f1": float(multiclass_f1_score(predicted, labels, classes, average="weighted")),
        "nll": float(cross_entropy(logits, labels)),
        "ece": calibration_error(logits.softmax(dim=-1).amax(dim=-1).numpy(), (predicted == labels).numpy()),
        "clips": len(labels),
    }


def scores_of(counts: Array | Integers) -> dict[str, Array]:
    """Accuracy, UAR, macro-F1 and weighted F1, as `score` defines them, of many confusion matrices at once.

    Thousands of resampled matrices are scored by numpy in one go; a test holds it to `score`.

    Args:
        counts: (..., classes, classes) confusion matrices, true class by prediction, none of them empty.

    Returns:
        Name of the score -> (...).
    """
    counts = np.asarray(counts, dtype=np.float64)
    right = np.diagonal(counts, axis1=-2, axis2=-1)  # (..., classes)
    labels, predictions = counts.sum(axis=-1), counts.sum(axis=-2)  # (..., classes)
    clips = labels.sum(axis=-1)  # (...)
    f1 = _ratio(2 * right, labels + predictions)
    return {
        "accuracy": right.sum(axis=-1) / clips,
        "uar": np.nanmean(recalls_of(counts), axis=-1),
        "macro_f1": np.nanmean(f1, axis=-1),
        "weighted_f1": np.nansum(labels * f1, axis=-1) / clips,
    }


def recalls_of(counts: Array | Integers) -> Array:
    """Recalls of (..., classes, classes) confusion matrices: (..., classes), NaN for classes without clips."""
    counts = np.asarray(counts, dtype=np.float64)
    return _ratio(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1))


def _ratio(above: Array, below: Array) -> Array:
    shares = np.full(above.shape, np.nan)
    np.divide(above, below, out=shares, where=below > 0)
    return shares


def labelled(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Take the clips that a task labels, on the CPU and the logits as float64.

    Args:
        logits: (clips, classes), unnormalised log-probabilities.
        labels: (clips,) class indices or `UNLABELLED`.

    Raises:
        EmorecError: No clip is labelled, or a logit is not finite.
    """
    logits, labels = logits.detach().cpu().double(), labels.cpu()
    wanted = labels != UNLABELLED
    logits, labels = logits[wanted], labels[wanted]  # (clips, classes), (clips,)
    if not len(labels):
        raise EmorecError("at least one labelled clip", "none", "label the clips of this part for this task")
    if bad := int((~logits.isfinite().all(dim=-1)).sum()):
        found = f"NaN or infinity for {bad} of {len(labels)} clips"
        raise EmorecError("finite logits", found, "lower the learning rate (model.init_args.lr)")
    return logits, labels


def calibration_error(confidence: Array, right: NDArray[np.bool_]) -> float:
    """The gap between how sure and how often right, averaged over clips by their bins of confidence.

    Our own, because torchmetrics 1.9 puts a confidence of exactly 1 into a sixteenth bin, which overstates
    the error of a saturated model.

    Args:
        confidence: (clips,) probability of a statement about each clip, such as its predicted class.
        right: (clips,) bool, whether the statement holds.
    """
    gaps = np.bincount(confidence_bins(confidence), weights=right - confidence, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def confidence_bins(confidence: Array) -> Integers:
    """(clips,), which of `ECE_BINS` bins of equal width holds each confidence; a bin holds its upper edge."""
    return np.ceil(confidence * ECE_BINS).astype(np.int64).clip(1, ECE_BINS) - 1


def score_part(part: PartLogits) -> dict[str, Scores]:
    """Score each task of a part; a further task that none of its clips label is left out.

    Raises:
        EmorecError: No clip is labelled for the first task, or a logit is not finite.
    """
    first = next(iter(part.logits))
    return {
        task: score(logits, part.labels[task])
        for task, logits in part.logits.items()
        if task == first or bool((part.labels[task] != UNLABELLED).any())
    }


def predicts_one_class(logits: Tensor) -> bool:
    """Whether all clips of (clips, classes), at least two, are given the same class."""
    predicted = logits.argmax(dim=-1)
    return len(predicted) > 1 and bool((predicted == predicted[0]).all())
