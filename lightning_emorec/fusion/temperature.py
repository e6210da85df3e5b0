"""How sure a branch may be: one number that its logits are divided by."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn.functional import cross_entropy

from lightning_emorec.metrics import labelled

COLDEST, HOTTEST = 0.05, 20.0


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Find what to divide logits by so that their mean negative log-likelihood is least (Guo et al. 2017).

    The likelihood is unimodal in the temperature, so the search between 1/20 and 20 needs no start. Where no
    temperature is best an end comes out, the lower if every clip is right; where none betters the logits, 1.

    Args:
        logits: (clips, classes) of validation actors, who are neither trained nor tested on.
        labels: (clips,) class indices; unlabelled clips are left out.
    """
    logits, labels = labelled(logits, labels)

    def loss(log_temperature: float) -> float:
        return float(cross_entropy(logits / np.exp(log_temperature), labels))

    ends = (float(np.log(COLDEST)), float(np.log(HOTTEST)))
    found = minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-8})
    return float(np.exp(min((0.0, *ends, float(found.x)), key=loss)))
