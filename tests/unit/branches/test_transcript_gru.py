from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_emorec.branches.transcript_gru import TranscriptGru
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import ReferenceTranscript, TranscriptFile, WhisperTranscript
from lightning_emorec.types import Batch, Logits
from tests.unit.branches.training import training_of

TASKS = {"emotion": ["angry", "calm", "sad"], "sex": ["female", "male"]}
TRAINING = ["Kids are talking by the door.", "Dogs are sitting by the door.", "", "Leave me alone!"]


def built(**arguments: Any) -> TranscriptGru:
    torch.manual_seed(0)
    return TranscriptGru(TASKS, transcript="reference", **arguments).eval()


def learned(**arguments: Any) -> TranscriptGru:
    branch = built(**arguments)
    branch.learn_from_training(training_of(branch, [{"text": text} for text in TRAINING]))
    return branch.eval()


def logits(branch: TranscriptGru, *texts: str, labels: dict[str, Tensor] | None = None) -> Logits:
    return branch(batch_of(branch, *texts, labels=labels))


def batch_of(branch: TranscriptGru, *texts: str, labels: dict[str, Tensor] | None = None) -> Batch:
    return Batch(
        clip_ids=[str(number) for number in range(len(texts))],
        index=torch.arange(len(texts)),
        audio=torch.zeros(len(texts), 0),
        lengths=torch.zeros(len(texts), dtype=torch.long),
        labels=labels or {},
        features={branch.features[0].key: list(texts)},
    )


def test_every_task_has_its_logits() -> None:
    shapes = {task: tuple(rows.shape) for task, rows in logits(learned(), "The door.", "Alone.").items()}
    assert shapes == {"emotion": (2, 3), "sex": (2, 2)}


@pytest.mark.parametrize("layers", [1, 2])
def test_longer_texts_in_the_batch_change_nothing(layers: int) -> None:
    branch = learned(layers=layers)
    texts = ["door", "", "Kids are talking by the door, dogs are sitting by the door.", "leave me"]
    together = logits(branch, *texts)["emotion"]
    alone = torch.cat([logits(branch, text)["emotion"] for text in texts])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)
    torch.testing.assert_close(logits(branch, *texts[::-1])["emotion"], together.flip(0), atol=1e-6, rtol=0)


def test_the_order_of_words_matters() -> None:
    rows = logits(learned(), "kids door", "door kids")["emotion"]
    assert not torch.allclose(rows[0], rows[1])


def test_an_empty_text_has_logits_of_its_own() -> None:
    rows = logits(learned(), "", "...", "xylophone")["emotion"]
    assert rows.isfinite().all()
    assert torch.equal(rows[0], rows[1])
    assert not torch.allclose(rows[0], rows[2])


def test_words_never_heard_in_training_are_all_the_same() -> None:
    rows = logits(learned(), "by the window", "by the xylophone", "by the door")["emotion"]
    assert torch.equal(rows[0], rows[1])
    assert not torch.allclose(rows[0], rows[2])


def test_words_heard_too_seldom_are_unknown() -> None:
    rows = logits(learned(min_count=2), "kids", "xylophone", "door")["emotion"]
    assert torch.equal(rows[0], rows[1])
    assert not torch.allclose(rows[0], rows[2])


def test_a_branch_reloads_nested_strictly_and_from_plain_weights() -> None:
    branch = learned()
    memory = io.BytesIO()
    torch.save(nn.ModuleDict({"text": branch}).state_dict(), memory)
    memory.seek(0)
    fresh = nn.ModuleDict({"text": built()})
    fresh.load_state_dict(torch.load(memory, weights_only=True), strict=True)
    texts = ["Kids are sitting", "xylophone", ""]
    reloaded = fresh["text"]
    assert isinstance(reloaded, TranscriptGru)
    assert torch.equal(logits(reloaded, *texts)["sex"], logits(branch, *texts)["sex"])


def test_a_branch_without_the_vocabulary_s_weights_does_not_load() -> None:
    state = {name: value for name, value in learned().state_dict().items() if "table" not in name}
    with pytest.raises(EmorecError, match=r"found 1 missing \(.*table"):
        built().load_state_dict(state, strict=True)


def test_a_branch_with_glove_reloads_when_the_file_is_gone(tmp_path: Path) -> None:
    glove = tmp_path / "glove.txt"
    glove.write_text("door 1 2 3\nkids 4 5 6\n")
    branch = learned(glove=str(glove), freeze_glove=True)
    glove.unlink()
    fresh = built(glove=str(glove), freeze_glove=True)
    fresh.load_state_dict(branch.state_dict(), strict=True)
    assert torch.equal(logits(fresh, "kids door")["sex"], logits(branch, "kids door")["sex"])
    assert fresh.embedding.table.weight[branch.embedding.encode("kids", 1)].tolist() == [[4, 5, 6]]


def test_a_frozen_glove_is_not_trained(tmp_path: Path) -> None:
    glove = tmp_path / "glove.txt"
    glove.write_text("door 1 2 3\n")
    branch = learned(glove=str(glove), freeze_glove=True)
    assert "embedding.table.weight" not in {
        name for name, weight in branch.named_parameters() if weight.requires_grad
    }


def test_the_gradient_reaches_every_weight() -> None:
    branch = learned(layers=2).train()
    labels = {"emotion": torch.tensor([0, 1]), "sex": torch.tensor([0, 1])}
    branch.training_loss(batch_of(branch, "kids are talking", "", labels=labels)).backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in branch.parameters())


def test_a_branch_learns_which_words_tell_the_emotion() -> None:
    branch = learned(dropout=0.0, word_dropout=0.0).train()
    texts = ["Kids are talking", "Dogs are sitting", "Leave me alone"]
    labels = {"emotion": torch.tensor([0, 1, 2]), "sex": torch.tensor([0, 1, 0])}
    optimizer = torch.optim.Adam(branch.parameters(), lr=1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        branch.training_loss(batch_of(branch, *texts, labels=labels)).backward()
        optimizer.step()
    found = logits(branch.eval(), "kids", "the dogs", "alone")
    assert found["emotion"].argmax(dim=1).tolist() == [0, 1, 2]


def test_training_drops_words_and_evaluation_does_not() -> None:
    branch = learned(dropout=0.0, word_dropout=0.999)
    whole = logits(branch, "kids are talking")["sex"]
    assert torch.equal(logits(branch, "kids are talking")["sex"], whole)
    branch.train()
    assert torch.equal(logits(branch, "kids are talking")["sex"], logits(branch, "dogs by the")["sex"])
    assert not torch.allclose(logits(branch, "kids are talking")["sex"], whole)


def test_an_empty_text_is_not_made_an_unknown_word() -> None:
    branch = learned(dropout=0.0, word_dropout=0.999)
    evaluated = logits(branch, "")["sex"]
    assert torch.equal(logits(branch.train(), "")["sex"], evaluated)


def test_training_transcripts_without_a_word_bring_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    branch = built()
    with caplog.at_level(logging.WARNING):
        branch.build_vocabulary(["", "..."])
    assert "no word occurs 1 times" in caplog.text
    assert logits(branch, "", "door")["sex"].isfinite().all()


def test_the_feature_follows_from_the_arguments(tmp_path: Path) -> None:
    (default,) = TranscriptGru.features_of({})
    assert isinstance(default, WhisperTranscript)
    (whisper,) = TranscriptGru.features_of({"transcript": "whisper", "whisper": "base.en", "context_s": 10.0})
    assert isinstance(whisper, WhisperTranscript)
    assert (whisper.weights.model, whisper.context_s) == ("base.en", 10.0)
    (polish,) = TranscriptGru.features_of({"whisper": "base", "language": "pl"})
    assert isinstance(polish, WhisperTranscript)
    assert polish.language == "pl"
    assert TranscriptGru(TASKS, whisper="base", language="pl").transcript.key == polish.key
    (reference,) = TranscriptGru.features_of({"transcript": "reference"})
    assert isinstance(reference, ReferenceTranscript)
    (file,) = TranscriptGru.features_of({"transcript": "file", "transcript_file": str(tmp_path / "x.csv")})
    assert isinstance(file, TranscriptFile)


def test_building_a_branch_opens_no_file() -> None:
    TranscriptGru(TASKS, transcript="file", transcript_file="nowhere.csv", glove="nowhere.txt")
    TranscriptGru(TASKS, whisper="nowhere.pt")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"hidden": 0}, "hidden of at least 1"),
        ({"layers": 0}, "layers of at least 1"),
        ({"embedding_size": 0}, "embedding_size of at least 1"),
        ({"max_words": 0}, "max_words of at least 1"),
        ({"min_count": 0}, "min_count of at least 1"),
        ({"dropout": 1.0}, r"dropout in \[0, 1\); found 1.0"),
        ({"word_dropout": -0.1}, r"word_dropout in \[0, 1\)"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(EmorecError, match=complaint):
        built(**arguments)
