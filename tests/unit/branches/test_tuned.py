from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer

from lightning_emorec.branches import SpeechEncoder, WhisperTuned
from lightning_emorec.branches.factory import resolve_spec
from lightning_emorec.branches.readout import LayerMix
from lightning_emorec.corpora import ManifestCorpus
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.errors import EmorecError, UnavailableError
from lightning_emorec.splits import ActorLists
from tests.tiny_whisper import save_whisper

TASKS = {"pitch": ["low", "middle", "high"]}


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = save_whisper(tmp_path / "tiny.pt")
    monkeypatch.setenv("EMOREC_WHISPER", str(made))
    return made


def data_of(tones: Path, **arguments: Any) -> EmotionDataModule:
    corpus = ManifestCorpus(str(tones), tasks=TASKS, label_columns={"pitch": "pitch"})
    return EmotionDataModule(corpus, ActorLists(test=[6], val=[5]), batch_size=8, **arguments)


def trainer_in(folder: Path) -> Trainer:
    return Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


def fitted(tones: Path, folder: Path, **arguments: Any) -> WhisperTuned:
    torch.manual_seed(0)
    branch = WhisperTuned(TASKS, width=8, **arguments)
    trainer_in(folder).fit(branch, datamodule=data_of(tones))
    return branch


@pytest.mark.parametrize("tune", ["top", "lora"])
def test_a_trained_branch_is_tested_without_a_whisper(
    tones: Path, checkpoint: Path, tmp_path: Path, tune: str
) -> None:
    branch = fitted(tones, tmp_path, tune=tune, top_layers=1)
    checkpoint.unlink()
    (file,) = tmp_path.rglob("*.ckpt")
    again = WhisperTuned.load_from_checkpoint(file, weights_only=True)
    trainer_in(tmp_path).validate(again, datamodule=data_of(tones), verbose=False)
    torch.testing.assert_close(again.results["val"].logits, branch.results["val"].logits)


def test_what_is_frozen_stays_as_it_was_and_the_rest_moves(
    tones: Path, checkpoint: Path, tmp_path: Path
) -> None:
    branch = fitted(tones, tmp_path, tune="top", top_layers=1, encoder_lr=1e-2)
    published = torch.load(checkpoint, weights_only=True)["model_state_dict"]
    same = {
        name
        for name, weight in branch.speech.encoder.named_parameters()  # type: ignore[union-attr]
        if torch.equal(weight, published[f"encoder.{name}"])
    }
    assert {name for name in same if name.startswith(("conv", "blocks.0"))} == same
    assert any(name.startswith("blocks.0") for name in same)


def test_states_are_standardised_by_what_the_encoder_made_before(
    tones: Path, checkpoint: Path, tmp_path: Path
) -> None:
    branch = fitted(tones, tmp_path, tune="frozen")
    by_hand = LayerMix(8)
    training = branch.data.training_data()
    by_hand.learn([branch._states(training.plain_audio(clip)) for clip in training.clips])
    torch.testing.assert_close(branch.mix.standardiser.mean, by_hand.standardiser.mean)
    torch.testing.assert_close(branch.mix.standardiser.deviation, by_hand.standardiser.deviation)


def test_the_encoder_has_a_learning_rate_of_its_own(tones: Path, checkpoint: Path, tmp_path: Path) -> None:
    branch = fitted(tones, tmp_path, tune="all", lr=2e-3, encoder_lr=3e-5)
    assert branch.rate_of("speech.encoder.blocks.0.attn.query.weight") == 3e-5
    assert branch.rate_of("heads.pitch.weight") == 2e-3


def test_another_sampling_rate_is_refused(tones: Path, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match=r"data\.rate_hz 16000.*; found 8000"):
        trainer_in(tmp_path).fit(WhisperTuned(TASKS), datamodule=data_of(tones, rate_hz=8000))


def test_what_training_starts_from_follows_the_weights_that_the_environment_names(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = resolve_spec({"class_path": "WhisperTuned"}, TASKS)
    before = WhisperTuned.origins(spec["init_args"])
    monkeypatch.setenv("EMOREC_WHISPER", str(checkpoint.rename(tmp_path / "moved.pt")))
    assert WhisperTuned.origins(spec["init_args"]) == before
    monkeypatch.setenv("EMOREC_WHISPER", str(save_whisper(tmp_path / "wider.pt", width=16)))
    assert WhisperTuned.origins(spec["init_args"]) != before


def test_building_a_branch_opens_no_file() -> None:
    assert WhisperTuned(TASKS, whisper="/no/such/whisper.pt").speech.encoder is None
    assert SpeechEncoder(TASKS, weights="/no/such/model").speech.encoder is None


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("WhisperTuned", {"whisper": "/no/such/whisper.pt"}),
        ("SpeechEncoder", {"weights": "/no/such/model"}),
    ],
)
def test_absent_weights_are_unavailable(kind: str, missing: dict[str, Any]) -> None:
    spec = resolve_spec({"class_path": kind, "init_args": missing}, TASKS)
    branch = {"WhisperTuned": WhisperTuned, "SpeechEncoder": SpeechEncoder}[kind]
    with pytest.raises(UnavailableError, match="/no/such"):
        branch.check_available(spec["init_args"])


def test_lora_without_its_package_is_unavailable(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    spec = resolve_spec({"class_path": "WhisperTuned", "init_args": {"tune": "lora"}}, TASKS)
    with pytest.raises(UnavailableError, match="the package peft"):
        WhisperTuned.check_available(spec["init_args"])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"width": 0}, "width of at least 1"),
        ({"dropout": 1.0}, "dropout in"),
        ({"noise": -0.1}, "noise of at least 0"),
        ({"encoder_lr": 0.0}, "encoder_lr above 0"),
        ({"top_layers": 0}, "top_layers of at least 1"),
        ({"margin_s": -1.0}, "margin_s in"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(EmorecError, match=complaint):
        WhisperTuned(TASKS, **arguments)
