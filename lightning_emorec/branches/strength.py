"""The strength of a ridge, chosen by leaving actors out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky

GRID = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
"""Inverse strengths that are compared."""

OTHERWISE = 3e-3
"""What is taken where no actor can be left out."""


def choose_c(
    rows: NDArray[np.float64], labels: NDArray[np.int64], actors: Sequence[str], folds: int = 4
) -> float:
    """Inverse strength of a multinomial logistic regression's ridge that suits actors who were left out.

    Args:
        rows: (clips, size), standardised.
        labels: (clips,) class indices, all labelled.
        actors: (clips,) who speaks.
        folds: Groups of actors that are left out in turn; no more than there are actors.

    Returns:
        That of `GRID` with the lowest negative log-likelihood of the clips left out; `OTHERWISE` where fewer than two
        actors, or two classes, are left to learn from.
    """
    from sklearn.model_selection import GroupKFold

    folds = min(folds, len(set(actors)))
    if folds < 2:
        return OTHERWISE
    short = _shortened(rows)
    parts = GroupKFold(folds).split(labels, groups=actors)
    left_out = [_LeftOut(short, labels, learned, judged) for learned, judged in parts]
    left_out = [one for one in left_out if len(one.classes) > 1 and len(one.truth)]
    best, lowest = OTHERWISE, np.inf
    for c in GRID if left_out else ():
        loss = sum(one.loss(c) for one in left_out)
        if loss > lowest:  # it has one minimum, and weaker ridges take the longest
            break
        best, lowest = c, loss
    return best


class _LeftOut:
    """Regressions on some clips that judge others; each is solved from the one before, of a stronger ridge."""

    def __init__(
        self,
        rows: NDArray[np.float32],
        labels: NDArray[np.int64],
        learned: NDArray[np.intp],
        judged: NDArray[np.intp],
    ) -> None:
        from sklearn.linear_model import LogisticRegression

        self.classes = np.unique(labels[learned])
        judged = judged[np.isin(labels[judged], self.classes)]
        self.truth = np.searchsorted(self.classes, labels[judged])
        self.learned, self.judged, self.wanted = rows[learned], rows[judged], labels[learned]
        self.regression = LogisticRegression(warm_start=True, max_iter=1000)

    def loss(self, c: float) -> float:
        """Negative log-likelihood of the judged clips."""
        log_p = self.regression.set_params(C=c).fit(self.learned, self.wanted).predict_log_proba(self.judged)
        return -float(log_p[np.arange(len(self.truth)), self.truth].sum())


def _shortened(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    """As many numbers a row as there are rows, with the same products of rows, which is all that a ridge sees."""
    small = rows.astype(np.float32)
    if rows.shape[1] <= len(rows):
        return small
    products = (small @ small.T).astype(np.float64)
    products[np.diag_indices_from(products)] *= 1 + 1e-5  # equal rows and rounding
    return cast("NDArray[np.float32]", cholesky(products, lower=True, overwrite_a=True).astype(np.float32))
