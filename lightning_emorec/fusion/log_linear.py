from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp
from torch import Tensor
from torch.nn.functional import nll_loss

from lightning_emorec.errors import EmorecError
from lightning_emorec.fusion.rule import FusionRule

Array = NDArray[np.float64]


class LogLinear(FusionRule):
    """A log-linear pool, p(c|x) ∝ exp(Σ_m w_m log p_m(c|x) + b_c) with w >= 0 (Genest & Zidek 1986).

    Weights and bias minimise the mean negative log-likelihood plus `ridge` Σ (w_m - v_m)² and `bias_ridge`
    Σ b_c²: a multinomial logistic regression with tied weights, so convex, and the ridges leave one optimum.
    The sum of the weights is free, so it holds a temperature as well.

    The ridges are Gaussian priors: over n clips, `ridge` r is a standard deviation of 1 / sqrt(2 n r). For
    the 240 clips of four RAVDESS actors the defaults say 1.4 for a weight, which leaves it free, and 0.14 for a
    bias, which holds it back: the actors it would be learned from are few.

    Args:
        ridge: Pull of the weights towards the prior v.
        prior: What a fusion is believed to be before it has seen a clip: `equal`, v = 1/M for each of M branches, or
            `best`, 1 for the branch with the lowest negative log-likelihood and 0 for the others, which suits one
            strong branch among weak ones.
        bias: Whether to learn a bias for each class. It costs more than it brings where validation actors are few;
            without it, one branch alone keeps its predictions.
        bias_ridge: Pull of the bias towards 0.
        calibrate: Learn a temperature for each branch first: the weights hold one anyway, but are pulled towards the
            prior, which means more where the branches are equally sure.
    """

    def __init__(
        self,
        ridge: float = 1e-3,
        prior: Literal["equal", "best"] = "equal",
        bias: bool = False,
        bias_ridge: float = 1e-1,
        calibrate: bool = False,
    ) -> None:
        super().__init__(calibrate)
        for name, value in (("ridge", ridge), ("bias_ridge", bias_ridge)):
            if not 0 < value < math.inf:
                raise EmorecError(f"a positive {name}", str(value), f"change {name} of the rule LogLinear")
        self.ridge = ridge
        self.prior = prior
        self.with_bias = bias
        self.bias_ridge = bias_ridge
        self.weights: list[float] = []
        self.bias: list[float] = []

    def learn(self, log_p: Tensor, labels: Tensor) -> None:
        """Solve for weights and bias."""
        branches, _, classes = log_p.shape
        prior = np.full(branches, 1 / branches)
        if self.prior == "best":
            losses = [float(nll_loss(rows, labels)) for rows in log_p]
            prior = np.eye(branches)[int(np.argmin(losses))]
        problem = Problem(
            log_p.detach().cpu().double().numpy(),
            labels.cpu().numpy(),
            np.array([self.ridge] * branches + [self.bias_ridge] * classes),
            np.concatenate([prior, np.zeros(classes)]),
        )
        solution = problem.solve(problem.centre, self.with_bias)
        self.weights = solution[:branches].tolist()
        self.bias = solution[branches:].tolist()

    def keep_prior(self, branches: int, classes: int) -> None:
        """Equal weights that sum to 1, and no bias."""
        self.weights = [1 / branches] * branches
        self.bias = [0.0] * classes

    def fuse(self, log_p: Tensor) -> Tensor:
        """Weigh the log-probabilities, add the bias, normalise."""
        weights = torch.tensor(self.weights, device=log_p.device)  # (branches,)
        bias = torch.tensor(self.bias, device=log_p.device)  # (classes,)
        return (torch.einsum("m,mbc->bc", weights, log_p) + bias).log_softmax(dim=-1)

    @property
    def shares(self) -> list[float] | None:
        """The weights over their sum; None if every weight is 0."""
        self.require_fitted()
        total = sum(self.weights)
        return [weight / total for weight in self.weights] if total else None

    @property
    def temperature(self) -> float | None:
        """1 / sum of the weights, over 1 where the branches are over-confident; None if every weight is 0."""
        self.require_fitted()
        total = sum(self.weights)
        return 1 / total if total else None

    def get_extra_state(self) -> dict[str, Any]:
        """Return weights and bias."""
        return super().get_extra_state() | {"weights": self.weights, "bias": self.bias}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take back what `get_extra_state` returned."""
        super().set_extra_state(state)
        self.weights = state["weights"]
        self.bias = state["bias"]


@dataclass(frozen=True)
class Problem:
    """What a log-linear pool minimises over its parameters, (branches + classes,) weights and then bias.

    Attributes:
        log_p: (branches, clips, classes) log-probabilities.
        labels: (clips,) class indices.
        ridges: (branches + classes,) pull of each parameter towards `centre`.
        centre: (branches + classes,) prior weights, and a bias of 0.
    """

    log_p: Array
    labels: NDArray[np.int64]
    ridges: Array
    centre: Array

    def solve(self, start: Array, bias: bool) -> Array:
        """Find the optimum with w >= 0, and b = 0 unless `bias`; it does not depend on `start`."""
        branches, _, classes = self.log_p.shape
        bounds = [(0.0, None)] * branches + [(None, None) if bias else (0.0, 0.0)] * classes
        # No `ftol`: the objective is flat around its optimum, and would stop the search too early.
        options = {"ftol": 0.0, "gtol": 1e-8, "maxiter": 1000}
        found = minimize(self.objective, start, method="L-BFGS-B", jac=True, bounds=bounds, options=options)
        return np.asarray(found.x, dtype=np.float64)

    def objective(self, parameters: Array) -> tuple[float, Array]:
        """Value and gradient of the mean negative log-likelihood with its penalty."""
        branches, clips, _ = self.log_p.shape
        scores = np.einsum("m,mnc->nc", parameters[:branches], self.log_p) + parameters[branches:]
        fused = scores - logsumexp(scores, axis=-1, keepdims=True)  # (clips, classes)
        labelled = (np.arange(clips), self.labels)
        excess = np.exp(fused)  # (clips, classes)
        excess[labelled] -= 1
        gradient = np.concatenate([np.einsum("nc,mnc->m", excess, self.log_p), excess.sum(axis=0)]) / clips
        offset = parameters - self.centre
        value = -fused[labelled].mean() + self.ridges @ offset**2
        return float(value), gradient + 2 * self.ridges * offset
