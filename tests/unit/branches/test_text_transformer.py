from __future__ import annotations

import io
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from transformers import AutoModel

from lightning_emorec.branches import TextTransformer
from lightning_emorec.errors import EmorecError, UnavailableError
from lightning_emorec.features import ReferenceTranscript, WhisperTranscript
from lightning_emorec.types import Batch, Logits
from tests.unit.branches.text_models import save_distilbert, save_roberta
from tests.unit.branches.training import training_of

TASKS = {"emotion": ["angry", "calm", "sad"], "sex": ["female", "male"]}
TEXTS = ["Kids are talking by the door.", "dogs!", "", "Leave me alone! Leave me!"]


@pytest.fixture
def distilbert(tmp_path: Path) -> Path:
    return save_distilbert(tmp_path / "distilbert")


def learned(folder: Path, **arguments: Any) -> TextTransformer:
    torch.manual_seed(0)
    branch = TextTransformer(TASKS, weights=str(folder), transcript="reference", hidden=8, **arguments)
    branch.learn_from_training(training_of(branch, [{"text": text} for text in TEXTS]))
    return branch.eval()


def batch_of(branch: TextTransformer, *texts: str, labels: dict[str, Tensor] | None = None) -> Batch:
    features: dict[str, Tensor | list[str]] = {branch.features[0].key: list(texts)}
    nothing = torch.zeros(len(texts), 0)
    return Batch(list(texts), torch.arange(len(texts)), nothing, nothing, labels or {}, features)


def logits(branch: TextTransformer, *texts: str) -> Logits:
    with torch.no_grad():
        return branch(batch_of(branch, *texts))


def trained_names(branch: TextTransformer) -> set[str]:
    return {name for name, weight in branch.named_parameters() if weight.requires_grad}


def test_every_task_has_its_logits(distilbert: Path) -> None:
    shapes = {task: tuple(rows.shape) for task, rows in logits(learned(distilbert), *TEXTS).items()}
    assert shapes == {"emotion": (4, 3), "sex": (4, 2)}


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_pooled_states_are_the_library_s_own(distilbert: Path, pooling: str) -> None:
    branch = learned(distilbert, pooling=pooling, train="all")
    states = AutoModel.from_pretrained(distilbert)(input_ids=torch.tensor([[2, 10, 15, 3]])).last_hidden_state
    expected = states.mean(1) if pooling == "mean" else states[:, 0]
    with torch.no_grad():
        torch.testing.assert_close(
            branch.text(**branch.text.tokenise(["dogs!"])), branch.text.projection(expected)
        )


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("train", ["head", "top", "all"])
def test_longer_texts_in_the_batch_change_nothing(distilbert: Path, pooling: str, train: str) -> None:
    branch = learned(distilbert, pooling=pooling, train=train)
    together = logits(branch, *TEXTS)["emotion"]
    branch.text._remembered.clear()
    alone = torch.cat([logits(branch, text)["emotion"] for text in TEXTS])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)


def test_a_long_text_keeps_its_end(distilbert: Path) -> None:
    branch = learned(distilbert, max_tokens=5)
    cut = logits(branch, "dogs dogs dogs dogs leave me alone", "leave me alone")["emotion"]
    torch.testing.assert_close(cut[0], cut[1])


def test_a_text_longer_than_the_encoder_s_positions_is_no_obstacle(tmp_path: Path) -> None:
    for folder in (save_distilbert(tmp_path / "one"), save_roberta(tmp_path / "two")):
        assert logits(learned(folder, max_tokens=512), "dogs " * 400)["emotion"].isfinite().all()


def test_a_checkpoint_needs_no_folder_and_no_hub(distilbert: Path) -> None:
    branch = learned(distilbert)
    memory = io.BytesIO()
    torch.save(nn.ModuleDict({"text": branch}).state_dict(), memory)
    memory.seek(0)
    before = logits(branch, *TEXTS)["sex"]
    shutil.rmtree(distilbert)
    fresh = nn.ModuleDict(
        {"text": TextTransformer(TASKS, weights=str(distilbert), transcript="reference", hidden=8)}
    )
    fresh.load_state_dict(torch.load(memory, weights_only=True), strict=True)
    torch.testing.assert_close(logits(cast(TextTransformer, fresh.eval()["text"]), *TEXTS)["sex"], before)


def test_building_a_branch_opens_no_file() -> None:
    branch = TextTransformer(TASKS, weights="/no/such/model", transcript="reference")
    assert branch.text.encoder is None


def test_head_trains_nothing_of_the_encoder(distilbert: Path) -> None:
    assert not any("encoder" in name for name in trained_names(learned(distilbert, train="head")))


def test_top_trains_the_last_layers_only(tmp_path: Path) -> None:
    names = trained_names(learned(save_roberta(tmp_path / "model"), train="top", top_layers=2))
    inside = {name.split("layer.")[1][0] for name in names if "encoder" in name}
    assert inside == {"1", "2"}
    assert not any("embeddings" in name for name in names)


def test_all_trains_everything_and_the_gradient_reaches_it(tmp_path: Path) -> None:
    branch = learned(save_roberta(tmp_path / "model"), train="all").train()
    labels = {"emotion": torch.tensor([0, 1]), "sex": torch.tensor([0, 1])}
    branch.training_loss(batch_of(branch, "dogs sitting", "", labels=labels)).backward()
    assert all(weight.requires_grad and weight.grad is not None for weight in branch.parameters())


@pytest.mark.parametrize("train", ["head", "top"])
def test_frozen_parts_do_not_drop_out_while_the_rest_is_trained(distilbert: Path, train: str) -> None:
    branch = learned(distilbert, train=train, top_layers=1).train()
    encoder = cast(nn.Module, branch.text.encoder)
    layers = encoder.get_submodule("transformer.layer")
    assert not encoder.get_submodule("embeddings").training
    assert [layer.training for layer in layers.children()] == [False, train == "top"]
    assert not any(part.training for part in branch.eval().modules())


def test_a_frozen_encoder_reads_each_text_once(distilbert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    branch = learned(distilbert, train="head")
    read: list[int] = []
    pool = branch.text._pool

    def counting(tokens: Tensor, inside: Tensor) -> Tensor:
        read.append(len(tokens))
        return pool(tokens, inside)

    monkeypatch.setattr(branch.text, "_pool", counting)
    first = logits(branch, "dogs", "dogs", "me")["sex"]
    assert torch.equal(logits(branch, "me", "dogs", "alone")["sex"][:2], first[[2, 0]])
    assert read == [2, 1]  # dogs and me, then alone


def test_a_tuned_encoder_forgets_what_it_read(distilbert: Path) -> None:
    branch = learned(distilbert, train="all")
    before = logits(branch, "dogs")["sex"]
    with torch.no_grad():
        next(cast(nn.Module, branch.text.encoder).parameters()).normal_()
    assert not torch.allclose(logits(branch, "dogs")["sex"], before)


def test_each_layer_learns_slower_than_the_one_above_it(distilbert: Path) -> None:
    branch = learned(distilbert, train="all", lr=1e-2, encoder_lr=1e-3, layer_decay=0.5)
    rates = {name: branch.rate_of(name) for name, _ in branch.named_parameters()}
    of = {part: rate for name, rate in rates.items() for part in PARTS if part in name}
    assert of == pytest.approx(
        {"heads": 1e-2, "projection": 1e-2, "layer.1": 1e-3, "layer.0": 5e-4, "embeddings": 2.5e-4}
    )
    branch.trainer = cast(Trainer, SimpleNamespace(estimated_stepping_batches=10, max_epochs=1))
    optimizer = cast(dict[str, Any], branch.configure_optimizers())["optimizer"]
    given = {
        id(weight): group["initial_lr"] for group in optimizer.param_groups for weight in group["params"]
    }
    assert given == pytest.approx({id(weight): rates[name] for name, weight in branch.named_parameters()})


PARTS = ("heads", "projection", "layer.1", "layer.0", "embeddings")


def test_it_learns_which_words_tell_the_emotion(distilbert: Path) -> None:
    branch = learned(distilbert, dropout=0.0, train="all").train()
    labels = {"emotion": torch.tensor([0, 1, 2]), "sex": torch.tensor([0, 1, 0])}
    optimizer = torch.optim.Adam(branch.parameters(), lr=1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        branch.training_loss(
            batch_of(branch, "kids talking", "dogs sitting", "leave me", labels=labels)
        ).backward()
        optimizer.step()
    assert logits(branch.eval(), "kids", "dogs", "leave")["emotion"].argmax(dim=1).tolist() == [0, 1, 2]


def test_availability_is_that_of_weights_and_transcript(distilbert: Path) -> None:
    here = {"weights": str(distilbert), "weights_from": "pretrained", "config_overrides": None}
    TextTransformer.check_available({**here, "transcript": "reference"})
    with pytest.raises(UnavailableError, match="no folder /no/such"):
        TextTransformer.check_available({**here, "weights": "/no/such", "transcript": "reference"})
    with pytest.raises(UnavailableError, match=r"/no/such\.pt"):
        TextTransformer.check_available({**here, "transcript": "whisper", "whisper": "/no/such.pt"})


def test_the_feature_follows_from_the_arguments() -> None:
    assert isinstance(TextTransformer.features_of({})[0], WhisperTranscript)
    assert isinstance(TextTransformer.features_of({"transcript": "reference"})[0], ReferenceTranscript)


def test_more_top_layers_than_there_are_are_refused(distilbert: Path) -> None:
    with pytest.raises(EmorecError, match="top_layers of at most 2, which distilbert has; found 3"):
        learned(distilbert, top_layers=3)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"max_tokens": 0}, "max_tokens of at least 1"),
        ({"top_layers": 0}, "top_layers of at least 1"),
        ({"hidden": 0}, "hidden of at least 1"),
        ({"dropout": 1.0}, r"dropout in \[0, 1\)"),
        ({"encoder_lr": 0.0}, r"encoder_lr in \(0, 1\]"),
        ({"layer_decay": 1.5}, r"layer_decay in \(0, 1\]"),
        ({"config_overrides": {"dim": 8}}, "no config_overrides"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(EmorecError, match=complaint):
        TextTransformer(TASKS, **arguments)
