from __future__ import annotations

import io
from typing import cast

import numpy as np
import pytest
import torch
from sklearn.svm import LinearSVC
from torch import Tensor, nn

from lightning_emorec.branches.tfidf import TfidfLinear

TRAINING = [
    "Kids are talking by the door.",
    "Dogs are sitting by the door!",
    "Leave me alone! Leave me!",
    "Oh, that's so sweet of you.",
    "No no no no no, not the dogs.",
    "You're kidding me, aren't you?",
]
LABELS = np.array([0, 0, 1, 2, 1, 2])
UNSEEN = ["The dogs, the dogs! Leave the door.", "", "xylophone", "You're SO sweet, aren't you?", "?!", "é"]


def learned(min_count: int = 1, dtype: torch.dtype = torch.float) -> tuple[TfidfLinear, LinearSVC]:
    made = TfidfLinear(3, word_ngrams=2, char_ngrams=4, min_count=min_count).to(dtype)
    vectorisers = made.vectorisers()
    machine = LinearSVC(C=1.0, random_state=0).fit(vectorisers.fit_transform(TRAINING), LABELS)
    made.take(vectorisers, machine.coef_.T, machine.intercept_)
    return made, machine


def scores(made: TfidfLinear, texts: list[str]) -> Tensor:
    return cast(Tensor, made(**made.count(texts)))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float, 1e-5), (torch.double, 1e-12)])
@pytest.mark.parametrize("min_count", [1, 2])
def test_scores_are_those_of_scikit_learn(min_count: int, dtype: torch.dtype, tolerance: float) -> None:
    made, machine = learned(min_count, dtype)
    vectorisers = made.vectorisers().fit(TRAINING)
    expected = machine.decision_function(vectorisers.transform(TRAINING + UNSEEN))
    np.testing.assert_allclose(scores(made, TRAINING + UNSEEN).numpy(), expected, atol=tolerance)


def test_a_text_without_a_known_term_has_the_bias() -> None:
    made, machine = learned()
    np.testing.assert_allclose(
        scores(made, ["", "0 0"]).numpy(), np.stack([machine.intercept_] * 2), atol=1e-6
    )
    np.testing.assert_allclose(scores(made, [""]).numpy(), machine.intercept_[None], atol=1e-6)


def test_exclamations_and_questions_are_words() -> None:
    made, _ = learned()
    assert {"!", "?"} <= set(made.get_extra_state()["terms"][0])


def test_before_it_learned_there_are_zeros() -> None:
    assert not scores(TfidfLinear(3, 2, 4, 1), ["a word", ""]).any()


def test_it_reloads_nested_strictly_and_from_plain_weights() -> None:
    made, _ = learned()
    memory = io.BytesIO()
    torch.save(nn.ModuleDict({"linear": made}).state_dict(), memory)
    memory.seek(0)
    fresh = nn.ModuleDict({"linear": TfidfLinear(3, 2, 4, 1)})
    fresh.load_state_dict(torch.load(memory, weights_only=True), strict=True)
    assert torch.equal(scores(cast(TfidfLinear, fresh["linear"]), UNSEEN), scores(made, UNSEEN))
