from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import check_grad
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from lightning_emorec.errors import EmorecError
from lightning_emorec.fusion import LogLinear
from lightning_emorec.fusion.log_linear import Problem

CLASSES = 5


def calibrated(clips: int, signal: float = 1.5, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits (clips, classes), and labels drawn from their softmax: their best temperature is 1."""
    generator = torch.Generator().manual_seed(seed)
    logits = signal * torch.randn(clips, CLASSES, generator=generator)
    labels = torch.multinomial(logits.softmax(dim=-1), 1, generator=generator).squeeze(-1)
    return logits, labels


def noise(clips: int, scale: float = 2.0) -> Tensor:
    return scale * torch.randn(clips, CLASSES, generator=torch.Generator().manual_seed(99))


CENTRE = np.array([0.5, 0.5, *[0.0] * CLASSES])


def problem(ridge: float = 1e-3, bias_ridge: float = 1e-1) -> Problem:
    logits, labels = calibrated(200)
    both = torch.stack([2 * logits, noise(200)]).log_softmax(dim=-1).double()
    return Problem(both.numpy(), labels.numpy(), np.array([ridge] * 2 + [bias_ridge] * CLASSES), CENTRE)


def test_the_gradient_is_that_of_the_objective() -> None:
    solved = problem()
    for seed in range(3):
        at = np.random.default_rng(seed).normal(size=2 + CLASSES)
        error = check_grad(lambda p: solved.objective(p)[0], lambda p: solved.objective(p)[1], at)
        assert error < 1e-5


def test_every_start_ends_at_the_same_optimum() -> None:
    random = np.random.default_rng(0)
    starts = [np.concatenate([random.uniform(0, 3, 2), random.normal(size=CLASSES)]) for _ in range(6)]
    ends = np.array([problem().solve(start, bias=True) for start in starts])
    assert np.ptp(ends, axis=0).max() < 1e-5


def test_the_optimum_meets_the_karush_kuhn_tucker_conditions() -> None:
    logits, labels = calibrated(200)
    both = torch.stack([logits, -logits]).log_softmax(dim=-1).double()  # the second branch misleads
    solved = Problem(both.numpy(), labels.numpy(), np.array([1e-3] * 2 + [1e-1] * CLASSES), CENTRE)
    optimum = solved.solve(solved.centre, bias=True)
    gradient = solved.objective(optimum)[1]
    assert optimum[1] == 0
    assert gradient[1] > 0
    np.testing.assert_allclose(np.delete(gradient, 1), 0, atol=1e-6)


def test_bias_alone_agrees_with_scikit_learn() -> None:
    # A branch of constant logits leaves a multinomial model of its bias: scikit-learn penalises 1/2C |w|² over
    # the sum of losses, where features that are one constant 1 stand for the bias.
    labels = torch.tensor([0] * 5 + [1] * 3 + [2] * 2)
    rule = LogLinear(ridge=1e-3, bias=True, bias_ridge=0.2)
    rule.fit(torch.zeros(1, 10, 3), labels)
    reference = LogisticRegression(C=1 / (2 * 10 * 0.2), fit_intercept=False, tol=1e-10)
    reference.fit(np.ones((10, 1)), labels)
    np.testing.assert_allclose(rule.bias, reference.coef_[:, 0], atol=1e-5)


def test_log_probabilities_are_weighed_and_biased() -> None:
    logits = torch.tensor([[[0.5, 0.5]], [[0.8, 0.2]]]).log()
    rule = LogLinear()
    rule.set_extra_state(
        {"branches": 2, "temperatures": [], "weights": [1.0, 2.0], "bias": [0.0, math.log(4)]}
    )
    # 0.5 * 0.64 * 1 against 0.5 * 0.04 * 4
    torch.testing.assert_close(rule(logits).exp(), torch.tensor([[0.8, 0.2]]))
    assert rule.shares == pytest.approx([1 / 3, 2 / 3])
    assert rule.temperature == pytest.approx(1 / 3)


def test_a_calibrated_branch_keeps_its_temperature() -> None:
    logits, labels = calibrated(5000)
    rule = LogLinear(bias=False)
    rule.fit(logits[None], labels)
    assert rule.temperature == pytest.approx(1, abs=0.05)


def test_the_free_scale_recovers_the_temperature_of_an_over_confident_branch() -> None:
    logits, labels = calibrated(5000)
    rule = LogLinear(bias=False)
    rule.fit(3 * logits[None], labels)
    assert rule.temperature == pytest.approx(3, rel=0.05)


def test_a_branch_of_noise_has_almost_no_share() -> None:
    logits, labels = calibrated(2000)
    rule = LogLinear()
    rule.fit(torch.stack([logits, noise(2000)]), labels)
    assert rule.shares is not None
    assert rule.shares[1] < 0.03


def test_branches_that_only_mislead_have_no_temperature() -> None:
    logits, labels = calibrated(240)
    rule = LogLinear()
    rule.fit(torch.stack([-logits, -2 * logits]), labels)
    assert rule.weights == [0, 0]
    assert rule.temperature is None
    assert rule.shares is None
    assert rule(torch.stack([logits, logits])).isfinite().all()


def test_the_bias_learns_what_the_branches_lack() -> None:
    labels = torch.tensor([0] * 180 + [1] * 60)
    rule = LogLinear(bias=True, bias_ridge=1e-6)
    rule.fit(torch.zeros(1, 240, 2), labels)
    torch.testing.assert_close(
        rule(torch.zeros(1, 1, 2)).exp(), torch.tensor([[0.75, 0.25]]), atol=1e-3, rtol=0
    )


def test_without_bias_there_is_none() -> None:
    logits, labels = calibrated(240)
    rule = LogLinear(bias=False)
    rule.fit(logits[None], labels)
    assert rule.bias == [0] * CLASSES


def test_a_strong_ridge_towards_the_best_branch_keeps_that_branch_alone() -> None:
    logits, labels = calibrated(240)
    rule = LogLinear(ridge=1e4, prior="best")
    rule.fit(torch.stack([noise(240), 0.3 * logits, logits]), labels)
    assert rule.weights == pytest.approx([0, 0, 1], abs=1e-3)


def test_a_weak_ridge_forgets_the_prior() -> None:
    logits, labels = calibrated(240)
    both = torch.stack([noise(240), logits])
    rules = [LogLinear(ridge=1e-9, prior="equal"), LogLinear(ridge=1e-9, prior="best")]
    for rule in rules:
        rule.fit(both, labels)
    assert rules[0].weights == pytest.approx(rules[1].weights, abs=1e-3)


def test_a_strong_ridge_keeps_the_weights_equal() -> None:
    logits, labels = calibrated(240)
    rule = LogLinear(ridge=1e4, bias=True, bias_ridge=1e4)
    rule.fit(torch.stack([logits, noise(240)]), labels)
    assert rule.weights == pytest.approx([0.5, 0.5], abs=1e-3)


def test_the_pool_is_at_least_as_good_on_its_clips_as_its_best_branch_and_the_average() -> None:
    logits, labels = calibrated(240)
    both = torch.stack([3 * logits, noise(240)])
    rule = LogLinear()
    rule.fit(both, labels)

    def nll(log_p: Tensor) -> float:
        return float(torch.nn.functional.nll_loss(log_p, labels))

    log_p = both.log_softmax(dim=-1)
    assert nll(rule(both)) < min(nll(log_p[0]), nll(log_p[1]), nll(log_p.exp().mean(dim=0).log()))


@pytest.mark.parametrize("ridge", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("name", ["ridge", "bias_ridge"])
def test_a_ridge_that_is_not_positive_is_refused(name: str, ridge: float) -> None:
    with pytest.raises(EmorecError, match=f"a positive {name}; found {ridge}"):
        LogLinear(**{name: ridge})  # type: ignore[arg-type]
