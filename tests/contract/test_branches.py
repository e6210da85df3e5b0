"""What every branch must do, over all of them."""

from __future__ import annotations

from copy import deepcopy
from itertools import islice
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor

import lightning_emorec.branches
from lightning_emorec.branches import (
    Branch,
    ClosedFormBranch,
    GradientBranch,
    branch_features,
    build_branch,
    resolve_spec,
)
from lightning_emorec.corpora import ManifestCorpus
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.runs.steps import train_or_solve
from lightning_emorec.splits import ActorLists
from lightning_emorec.types import Batch, Logits
from tests.contract.branch_cases import SMALL
from tests.tiny_whisper import save_whisper

TASKS = {"pitch": ["low", "middle", "high"], "voice": ["deep", "bright"]}
BASES = {"Branch", "ClosedFormBranch", "GradientBranch"}


def spec(name: str) -> dict[str, Any]:
    return resolve_spec({"class_path": name, "init_args": SMALL[name]}, TASKS)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_whisper(tmp_path_factory.mktemp("whisper") / "tiny.pt")


@pytest.fixture(autouse=True)
def _tiny_whisper(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOREC_WHISPER", str(checkpoint))


@pytest.fixture(params=sorted(SMALL))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def data(tones: Path) -> EmotionDataModule:
    corpus = ManifestCorpus(
        str(tones), tasks=TASKS, text_column="text", label_columns={"pitch": "pitch", "voice": "voice"}
    )
    return EmotionDataModule(corpus, ActorLists(test=[6], val=[5]), batch_size=4)


@pytest.fixture
def fitted(name: str, data: EmotionDataModule, tmp_path: Path) -> Branch:
    """A branch after one epoch, or after its solution."""
    branch = build_branch(spec(name), TASKS)
    epochs = 0 if isinstance(branch, ClosedFormBranch) else 1
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        enable_checkpointing=False,
    )
    train_or_solve(trainer, branch, data)
    return branch.eval()


def batch_of(branch: Branch, data: EmotionDataModule, size: int) -> Batch:
    data.batch_size, data.needs = size, branch.needs
    return next(iter(data.val_dataloader()))  # type: ignore[arg-type]


@torch.no_grad()
def logits(branch: Branch, data: EmotionDataModule, size: int) -> Logits:
    return cast(Logits, branch(batch_of(branch, data, size)))


def test_every_branch_has_a_small_case() -> None:
    exported = {
        name
        for name in lightning_emorec.branches.__all__
        if isinstance(made := getattr(lightning_emorec.branches, name), type) and issubclass(made, Branch)
    }
    assert set(SMALL) == exported - BASES


def test_logits_have_a_row_a_clip_and_a_column_a_class(fitted: Branch, data: EmotionDataModule) -> None:
    made = logits(fitted, data, 5)
    assert {task: tuple(rows.shape) for task, rows in made.items()} == {"pitch": (5, 3), "voice": (5, 2)}
    assert all(rows.isfinite().all() for rows in made.values())


def test_an_embedding_is_as_wide_as_the_branch_says(fitted: Branch, data: EmotionDataModule) -> None:
    if type(fitted).encode is Branch.encode:
        pytest.skip("does not embed")
    with torch.no_grad():
        assert fitted.embed(batch_of(fitted, data, 5)).shape == (5, fitted.embed_size)


def test_a_clip_has_the_same_logits_alone_and_among_others(fitted: Branch, data: EmotionDataModule) -> None:
    trained = deepcopy(fitted)
    with torch.no_grad():  # as after training: a norm's bias is 0 before, in the padding as well
        for parameter in trained.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    together = logits(trained, data, 9)
    data.batch_size = 1
    with torch.no_grad():
        each = [cast(Logits, trained(batch)) for batch in islice(data.val_dataloader(), 9)]
    for task in TASKS:
        alone = torch.cat([of[task] for of in each])
        torch.testing.assert_close(alone, together[task], atol=1e-5, rtol=1e-5)


def test_a_reloaded_branch_has_the_same_logits(
    name: str, fitted: Branch, data: EmotionDataModule, tmp_path: Path
) -> None:
    torch.save(fitted.state_dict(), tmp_path / "state.pt")
    again = build_branch(spec(name), TASKS).eval()
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True), strict=True)
    before, after = logits(fitted, data, 9), logits(again, data, 9)
    for task in TASKS:
        torch.testing.assert_close(after[task], before[task])


def test_a_silent_clip_and_an_empty_text_have_finite_logits(fitted: Branch, data: EmotionDataModule) -> None:
    batch = batch_of(fitted, data, 2)
    batch.audio = torch.zeros(2, 1600)
    batch.lengths = torch.tensor([1600, 1])
    batch.features = {
        key: ["", ""] if isinstance(value, list) else torch.zeros_like(value)
        for key, value in batch.features.items()
    }
    with torch.no_grad():
        assert all(rows.isfinite().all() for rows in fitted(batch).values())


def test_the_gradient_reaches_every_trainable_parameter(fitted: Branch, data: EmotionDataModule) -> None:
    if not isinstance(fitted, GradientBranch):
        pytest.skip("solved, not trained by gradients")
    torch.manual_seed(0)
    fitted.train().zero_grad()
    loss: Tensor = fitted.training_loss(batch_of(fitted, data, 9))
    loss.backward()
    dead = [key for key, weight in fitted.named_parameters() if weight.requires_grad and weight.grad is None]
    assert not dead


def test_the_network_reads_tensors_alone_and_gives_what_the_branch_gives(
    fitted: Branch, data: EmotionDataModule
) -> None:
    batch = batch_of(fitted, data, 5)
    inputs = fitted.inputs(batch)
    assert all(isinstance(values, Tensor) for values in inputs.values())
    with torch.no_grad():
        torch.testing.assert_close(fitted.net(**inputs), fitted(batch), rtol=0, atol=0)


def test_a_branch_learns_without_a_trainer(name: str, data: EmotionDataModule) -> None:
    branch = build_branch(spec(name), TASKS)
    data.needs = branch.needs
    data.prepare_data()
    branch.learn_from_training(data.training_data())
    if isinstance(branch, ClosedFormBranch):
        branch.solve(data.training_data())
    made = logits(branch.eval(), data, 5)
    assert all(rows.isfinite().all() for rows in made.values())


def test_the_hyper_parameters_build_the_branch_again(name: str) -> None:
    kind: type[Branch] = getattr(lightning_emorec.branches, name)
    branch = kind(TASKS, **SMALL[name])
    assert set(branch.hparams) == {*spec(name)["init_args"], "tasks"}
    assert {**kind(**branch.hparams).hparams} == {**branch.hparams}


def test_features_of_arguments_with_gaps_are_those_of_the_defaults(name: str) -> None:
    kind: type[Branch] = getattr(lightning_emorec.branches, name)
    expected = [feature.key for feature in branch_features(spec(name))]
    assert [feature.key for feature in kind.features_of(SMALL[name])] == expected


def test_features_are_known_without_building_the_branch(name: str, fitted: Branch) -> None:
    assert {feature.key for feature in branch_features(spec(name))} == {
        feature.key for feature in fitted.features
    }
