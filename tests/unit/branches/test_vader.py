from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from lightning_emorec.branches import Vader
from lightning_emorec.errors import EmorecError
from lightning_emorec.features.vader import vader_scores
from lightning_emorec.types import Batch, Clip
from tests.unit.branches.training import training_of

TASKS = {"emotion": ["angry", "calm", "happy"], "sex": ["female", "male"]}
SAID = {
    "angry": ["I hate you!", "This is horrible.", "You stupid liar", "hello"],
    "calm": ["the door is open", "it is five", "a chair", "hello"],
    "happy": ["I love it!", "What a great day", "wonderful, thank you", "hello"],
}
TRAINING = [
    Clip(f"{emotion}{number}", str(number), None, {"emotion": emotion}, text)
    for emotion, texts in SAID.items()
    for number, text in enumerate(texts)
]
NEW = ["I hate this great door", "", "good good good", "bad"]


def solved(training: list[Clip] = TRAINING, **arguments: Any) -> Vader:
    branch = Vader(TASKS, transcript="reference", **arguments)
    values = [{"text": clip.text} for clip in training]
    branch.solve(training_of(branch, values, training))
    return branch


def logits(branch: Vader, *texts: str) -> dict[str, Tensor]:
    features = {branch.features[0].key: branch.features[0].collate([{"text": text} for text in texts])}
    nothing = torch.zeros(len(texts), 0)
    return branch(Batch(list(texts), torch.arange(len(texts)), nothing, nothing, {}, features))


def test_logits_are_those_of_a_regression_on_standardised_scores() -> None:
    scores = np.array([vader_scores(clip.text or "") for clip in TRAINING])
    found = [TASKS["emotion"].index(clip.labels["emotion"]) for clip in TRAINING]
    reference = make_pipeline(StandardScaler(), LogisticRegression(C=0.5)).fit(scores, found)
    made = logits(solved(c=0.5), *NEW)["emotion"]
    expected = reference.predict_log_proba([vader_scores(text) for text in NEW])
    np.testing.assert_allclose(log_softmax(made.numpy(), axis=1), expected, atol=1e-4)


def test_hate_is_angry_and_love_is_happy() -> None:
    made = logits(solved(), "I really hate it", "the table", "lovely, I love it")["emotion"]
    assert made.argmax(dim=1).tolist() == [0, 1, 2]


def test_a_task_without_labels_has_equal_logits() -> None:
    assert logits(solved(), "I hate you")["sex"].softmax(1).tolist() == [[0.5, 0.5]]


def test_texts_that_all_score_the_same_give_finite_logits() -> None:
    same = [Clip(clip.id, clip.actor, None, clip.labels, "hello") for clip in TRAINING]
    assert logits(solved(same), *NEW)["emotion"].isfinite().all()


def test_a_c_that_is_not_positive_is_refused() -> None:
    with pytest.raises(EmorecError, match="c above 0; found 0"):
        Vader(TASKS, c=0.0)
