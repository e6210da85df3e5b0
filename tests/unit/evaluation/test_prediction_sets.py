"""By hand: logits log p with a temperature of 1 are the probabilities themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lightning_emorec.confidence import Confidence
from lightning_emorec.evaluation.prediction_sets import prediction_sets
from lightning_emorec.evaluation.results import Fold, Results, System
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import UNLABELLED, Clip

MODEL = System("M", "model")
SCORES = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.65, 0.65])
"""Nine clips: of coverage 0.9 the threshold is the ninth, so classes of at least 0.35 are in."""


def results(confidence: Confidence | None) -> Results:
    p = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.9, 0.1], [0.5, 0.5]])
    part = PartLogits(list("abcd"), {"mood": p.log()}, {"mood": torch.tensor([0, 1, 1, UNLABELLED])})
    fold = Fold({MODEL: {"test": part}}, {"train": [], "val": [], "test": ["1", "2"]}, confidence=confidence)
    clips = {name: Clip(name, actor, None) for name, actor in zip("abcd", "1122", strict=True)}
    return Results("run", {"mood": ["up", "down"]}, clips, [fold], MODEL)


def test_coverage_is_counted_over_labelled_clips_and_by_actor() -> None:
    found = prediction_sets(results(Confidence(1.0, SCORES, 4)))
    assert found is not None
    assert found.coverage == pytest.approx(2 / 3)
    assert found.actors == {"1": 1.0, "2": 0.0}
    assert found.mean_size == pytest.approx(4 / 3)
    assert found.certain == pytest.approx(2 / 3)
    assert (found.validation_actors, found.nominal) == (4, True)
    assert "for 90% (nominal), founded on 4 validation actors: right class in 66.7%" in found.sentence


def test_nine_actors_back_up_ninety_percent() -> None:
    found = prediction_sets(results(Confidence(1.0, SCORES, 9)))
    assert found is not None
    assert not found.nominal


def test_without_validation_logits_or_without_a_test_there_is_nothing_to_judge() -> None:
    assert prediction_sets(results(None)) is None
    tested = results(Confidence(1.0, SCORES, 4))
    (fold,) = tested.folds
    validated = replace(fold, logits={MODEL: {"val": fold.logits[MODEL]["test"]}})
    assert prediction_sets(replace(tested, folds=[validated])) is None
