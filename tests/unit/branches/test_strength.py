from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from lightning_emorec.branches.strength import GRID, OTHERWISE, choose_c

CLIPS = 96
LABELS = np.tile([0, 1, 2], CLIPS // 3)
ACTORS = [str(number // 12) for number in range(CLIPS)]


def rows_of(size: int, told: float) -> np.ndarray:
    """(clips, size) that tell the class and, as strongly, the actor."""
    draw = np.random.default_rng(1)
    rows = draw.normal(size=(CLIPS, size))
    rows += told * draw.normal(size=(3, size))[LABELS]
    return rows + told * draw.normal(size=(8, size))[[int(actor) for actor in ACTORS]]


@pytest.mark.parametrize("size", [20, 300])  # fewer and more numbers than rows
@pytest.mark.parametrize("told", [0.1, 0.5])
def test_the_choice_is_that_of_regressions_on_all_numbers(size: int, told: float) -> None:
    rows = rows_of(size, told)
    losses = []
    for c in GRID:
        loss = 0.0
        for learned, judged in GroupKFold(4).split(LABELS, groups=ACTORS):
            fitted = LogisticRegression(C=c, tol=1e-6, max_iter=1000).fit(rows[learned], LABELS[learned])
            made = fitted.predict_log_proba(rows[judged])
            loss -= made[np.arange(len(judged)), LABELS[judged]].sum()
        losses.append(loss)
    assert choose_c(rows, LABELS, ACTORS) == GRID[int(np.argmin(losses))]


def test_what_holds_for_no_other_actor_asks_for_a_strong_ridge() -> None:
    assert choose_c(rows_of(300, 0.0), LABELS, ACTORS) == GRID[0]
    assert choose_c(rows_of(20, 0.5), LABELS, ACTORS) > GRID[2]


def test_actors_who_cannot_be_left_out_leave_the_usual_strength() -> None:
    rows = rows_of(20, 0.5)
    assert choose_c(rows, LABELS, ["1"] * CLIPS) == OTHERWISE
    assert choose_c(rows[:0], LABELS[:0], []) == OTHERWISE
    assert choose_c(rows, np.zeros(CLIPS, np.int64), ACTORS) == OTHERWISE


def test_a_class_of_one_actor_is_left_out_of_the_comparison() -> None:
    labels = LABELS.copy()
    labels[0] = 3
    assert choose_c(rows_of(20, 0.5), labels, ACTORS) in GRID
