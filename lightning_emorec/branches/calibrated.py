"""Decision scores, of classifiers that give no probabilities, turned into logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from lightning_emorec.errors import EmorecError

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

_NEVER = -10.0  # logit of a class that no training clip has: improbable, yet finite
_LOG_SCALES = (-10.0, 10.0)  # of a temperature's inverse


def decision_scores(classifier: ClassifierMixin, values: NDArray[Any], classes: int) -> NDArray[np.float64]:
    """Scores of a fitted scikit-learn classifier, with a column for every class.

    Args:
        classifier: Fitted on class indices; has `decision_function`, one against the rest.
        values: (clips, ...) as the classifier takes them.
        classes: Number of classes of the task.

    Returns:
        (clips, classes); 0 for classes that it was not fitted on, and (-s, s) where it was fitted on two.
    """
    made = classifier.decision_function(values)
    if made.ndim == 1:
        made = np.stack([-made, made], axis=1)
    scores = np.zeros((len(made), classes))
    scores[:, classifier.classes_] = made
    return scores


def held_out_scores(
    classifier: ClassifierMixin,
    values: NDArray[Any],
    labels: NDArray[np.int64],
    actors: Sequence[str],
    classes: int,
    folds: int = 5,
) -> NDArray[np.float64]:
    """Scores of each training clip by a classifier that was not fitted on its actor.

    Scores of the clips that a classifier was fitted on are far too sure; calibrated on those, its probabilities
    would be too.

    Args:
        classifier: A classifier or pipeline; copies of it are fitted, so that its own scaler or vocabulary
            sees no held-out clip either.
        values: (clips, ...) as the classifier takes them; texts as an array of objects.
        labels: (clips,) class indices, all labelled.
        actors: (clips,) who speaks.
        classes: Number of classes of the task.
        folds: Groups of actors that are held out in turn; no more than there are actors.

    Returns:
        (clips, classes); 0 where the other actors show fewer than two classes.

    Raises:
        EmorecError: All clips are of one actor.
    """
    from sklearn.base import clone
    from sklearn.model_selection import GroupKFold

    if len(set(actors)) < 2:
        raise EmorecError(
            "at least two training actors, to calibrate on one by the others",
            f"{', '.join(sorted(set(actors))) or 'none'}",
            "choose another data.split",
        )
    scores = np.zeros((len(labels), classes))
    for learned, judged in GroupKFold(min(folds, len(set(actors)))).split(labels, groups=actors):
        if len(np.unique(labels[learned])) > 1:
            fitted = clone(classifier).fit(values[learned], labels[learned])
            scores[judged] = decision_scores(fitted, values[judged], classes)
    return scores


def calibrate(
    scores: NDArray[np.float64], labels: NDArray[np.int64], c: float = 1.0, classes: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit the logits that decision scores stand for: multinomial logistic regression, a convex problem.

    Platt scaling (1999) for many classes at once; `weight` and `bias` can be folded into a linear last layer.

    Args:
        scores: (clips, width) held-out scores.
        labels: (clips,) class indices, all labelled.
        c: Inverse strength of the ridge on the weights.
        classes: Number of classes; None means a score for each.

    Returns:
        (classes, width) `weight` and (classes,) `bias`: logits = scores @ weight.T + bias.
    """
    from sklearn.linear_model import LogisticRegression

    width = scores.shape[1]
    classes = width if classes is None else classes
    counts = np.bincount(labels, minlength=classes)
    weight = np.zeros((classes, width))
    if (counts > 0).sum() < 2:  # one class: the shares, each class counted once more
        return weight, np.log((counts + 1) / (counts.sum() + classes))
    fitted = LogisticRegression(C=c, max_iter=1000).fit(scores, labels)
    bias = np.full(classes, _NEVER)
    if len(fitted.classes_) == 2:  # scikit-learn gives the log-odds of the second class
        halves = np.array([[-0.5], [0.5]])
        weight[fitted.classes_], bias[fitted.classes_] = (
            halves * fitted.coef_,
            halves[:, 0] * fitted.intercept_,
        )
    else:
        weight[fitted.classes_], bias[fitted.classes_] = fitted.coef_, fitted.intercept_
    return weight, bias


def temper(
    scores: NDArray[np.float64], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit one positive factor of all scores, so that what the classifier predicts stays as it is.

    Temperature scaling (Guo et al. 2017), of decision scores. As with Platt, the targets are not quite 0 and 1,
    so that scores which are never wrong do not become infinite logits.

    Args:
        scores: (clips, classes) held-out scores.
        labels: (clips,) class indices, all labelled.

    Returns:
        As `calibrate`.
    """
    present = np.unique(labels)
    if len(present) < 2:
        return calibrate(scores, labels)
    shown, truth = scores[:, present], np.searchsorted(present, labels)
    doubt = 1 / (len(truth) + 2)

    def loss(log_scale: float) -> float:
        rows = log_softmax(np.exp(log_scale) * shown, axis=1)
        return -float(((1 - doubt) * rows[np.arange(len(truth)), truth] + doubt * rows.mean(axis=1)).mean())

    weight = np.zeros((scores.shape[1], scores.shape[1]))
    weight[:, present] = 1 / len(
        present
    )  # a class without clips: below the mean of the others, whatever they are
    weight[present] = np.eye(len(weight))[present]
    bias = np.full(len(weight), _NEVER)
    bias[present] = 0.0
    return float(np.exp(minimize_scalar(loss, bounds=_LOG_SCALES, method="bounded").x)) * weight, bias
