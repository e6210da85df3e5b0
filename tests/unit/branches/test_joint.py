from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor

from lightning_emorec.branches import AudioCnn, Branch, Joint, TranscriptGru, build_branch
from lightning_emorec.corpora import ManifestCorpus
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import ReferenceTranscript
from lightning_emorec.fusion import FusionModule
from lightning_emorec.splits import ActorLists

TASKS = {"pitch": ["low", "middle", "high"]}
AUDIO = {"class_path": "AudioCnn", "init_args": {"width": 4, "stages": 2}}
TEXT = {
    "class_path": "TranscriptGru",
    "init_args": {"transcript": "reference", "embedding_size": 8, "hidden": 8},
}


def built(**knobs: Any) -> Joint:
    torch.manual_seed(0)
    arguments = {"encoders": {"audio": AUDIO, "text": TEXT}, "size": 8, "hidden": 8, **knobs}
    branch = build_branch({"class_path": "Joint", "init_args": arguments}, TASKS)
    assert isinstance(branch, Joint)
    return branch


def data_of(tones: Path, rate_hz: int = 16000) -> EmotionDataModule:
    corpus = ManifestCorpus(str(tones), tasks=TASKS, text_column="text")
    return EmotionDataModule(corpus, ActorLists(test=[6], val=[5]), batch_size=12, rate_hz=rate_hz)


def fit(
    branch: Branch, data: EmotionDataModule, folder: Path, epochs: int = 1, ckpt_path: Path | None = None
) -> Path:
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=folder,
    )
    trainer.fit(branch, datamodule=data, ckpt_path=ckpt_path)
    file = folder / f"{type(branch).__name__}.ckpt"
    trainer.save_checkpoint(file)
    return file


@pytest.fixture
def audio_checkpoint(tones: Path, tmp_path: Path) -> Path:
    return fit(build_branch(AUDIO, TASKS), data_of(tones), tmp_path)


@pytest.fixture
def text_checkpoint(tones: Path, tmp_path: Path) -> Path:
    return fit(build_branch(TEXT, TASKS), data_of(tones), tmp_path)


def same_state(branch: torch.nn.Module, saved: dict[str, Any]) -> bool:
    return all(
        torch.equal(value, saved[key]) if isinstance(value, Tensor) else value == saved[key]
        for key, value in branch.state_dict().items()
    )


def test_the_encoders_learn_from_training_clips_end_to_end(tones: Path, tmp_path: Path) -> None:
    branch = built()
    before = {name: weight.clone() for name, weight in branch.named_parameters()}
    fit(branch, data_of(tones), tmp_path)
    audio, text = branch.encoders["audio"], branch.encoders["text"]
    assert isinstance(text, TranscriptGru)
    assert "river" in text.embedding.words
    assert isinstance(audio, AudioCnn)
    assert audio.log_mel.frames_heard > 0
    still = [
        name
        for name, weight in branch.named_parameters()
        if name in before and weight.shape == before[name].shape and torch.equal(weight, before[name])
    ]
    assert still == []


def test_an_encoder_keeps_no_head_of_its_own() -> None:
    assert not [name for name, _ in built().encoders.named_parameters() if "heads" in name]


def test_frozen_encoders_are_the_trained_branches_and_stay_so(
    tones: Path, tmp_path: Path, audio_checkpoint: Path, text_checkpoint: Path
) -> None:
    branch = built(
        frozen=True, checkpoints={"audio": str(audio_checkpoint), "text": str(text_checkpoint)}, dropout=0.0
    )
    fit(branch, data_of(tones), tmp_path / "joint")
    for name, file in (("audio", audio_checkpoint), ("text", text_checkpoint)):
        saved = torch.load(file, weights_only=True)["state_dict"]
        assert same_state(branch.encoders[name], saved)
    trained = {name for name, weight in branch.named_parameters() if weight.requires_grad}
    assert trained
    assert not [name for name in trained if name.startswith("encoders.")]


def test_an_encoder_may_start_from_a_trained_branch_and_learn_on(
    tones: Path, tmp_path: Path, text_checkpoint: Path
) -> None:
    branch = built(checkpoints={"text": str(text_checkpoint)})
    fit(branch, data_of(tones), tmp_path / "joint")
    saved = torch.load(text_checkpoint, weights_only=True)["state_dict"]
    text = branch.encoders["text"]
    assert isinstance(text, TranscriptGru)
    assert text.get_submodule("embedding").get_extra_state() == saved["embedding._extra_state"]
    assert not same_state(text, saved)


def test_a_checkpoint_needs_none_of_the_files_it_began_with(
    tones: Path, tmp_path: Path, audio_checkpoint: Path, text_checkpoint: Path
) -> None:
    branch = built(frozen=True, checkpoints={"audio": str(audio_checkpoint), "text": str(text_checkpoint)})
    file = fit(branch, data_of(tones), tmp_path / "joint")
    audio_checkpoint.unlink()
    text_checkpoint.unlink()
    assert str(tmp_path) not in str(torch.load(file, weights_only=True)["hyper_parameters"])
    again = Joint.load_from_checkpoint(file, weights_only=True)
    assert same_state(again, branch.state_dict())


def test_training_over_frozen_encoders_goes_on_from_a_checkpoint(
    tones: Path, tmp_path: Path, audio_checkpoint: Path, text_checkpoint: Path
) -> None:
    knobs = {"frozen": True, "checkpoints": {"audio": str(audio_checkpoint), "text": str(text_checkpoint)}}
    first = fit(built(**knobs), data_of(tones), tmp_path / "first")
    second = fit(built(**knobs), data_of(tones), tmp_path / "second", epochs=2, ckpt_path=first)
    before, after = (torch.load(file, weights_only=True)["state_dict"] for file in (first, second))
    moved = {
        key for key, value in before.items() if isinstance(value, Tensor) and not value.equal(after[key])
    }
    assert moved
    assert not [key for key in moved if key.startswith("encoders.")]


def test_a_fusion_builds_it_without_the_files_it_began_with() -> None:
    files = {"audio": "gone/audio.ckpt", "text": "gone/text.ckpt"}
    arguments = {"encoders": {"audio": AUDIO, "text": TEXT}, "checkpoints": files, "frozen": True}
    fusion = FusionModule(TASKS, {"joint": {"class_path": "Joint", "init_args": arguments}})
    fusion.configure_model()
    assert any(name.startswith("branches.joint.encoders.audio.") for name in fusion.state_dict())


def test_frozen_encoders_stay_in_evaluation() -> None:
    frozen, whole = built(frozen=True).train(), built().train()
    assert frozen.training
    assert not any(module.training for module in frozen.encoders.modules())
    assert all(module.training for module in whole.encoders.modules())


def test_a_silenced_modality_is_all_zero_and_no_clip_loses_both() -> None:
    branch = built(modality_dropout=0.6).train()
    modalities = torch.ones(4000, 2, 8)
    kept = branch._silence(modalities)
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    by_modality = kept.mean(dim=2)  # (clips, modalities)
    assert set(by_modality.unique().tolist()) == {0.0, 1.0}
    assert (by_modality.sum(dim=1) > 0).all()
    # Silenced with 0.6, but for the 0.6 * 0.6 of clips that would lose both.
    assert float(1 - by_modality.mean()) == pytest.approx(0.6 - 0.36, abs=0.03)
    assert torch.equal(branch.eval()._silence(modalities), modalities)


def test_a_loud_modality_does_not_drown_a_quiet_one_once_normalised() -> None:
    norm = built().projections["text"][0]  # type: ignore[index]
    quiet, loud = torch.randn(5, 32), 1000 * torch.randn(5, 32) + 77
    with torch.no_grad():
        assert float(norm(loud).std()) == pytest.approx(float(norm(quiet).std()), abs=0.01)
    assert isinstance(built(normalise=False).projections["text"][0], torch.nn.Identity)  # type: ignore[index]


def test_an_encoder_learns_at_its_own_rate() -> None:
    slow = {**TEXT, "init_args": {**TEXT["init_args"], "lr": 1e-5}}  # type: ignore[dict-item]
    branch = built(encoders={"audio": AUDIO, "text": slow}, lr=3e-4)
    rates = {name.rpartition(".")[0]: branch.rate_of(name) for name, _ in branch.named_parameters()}
    assert rates["encoders.text.gru"] == 1e-5
    assert rates["encoders.audio.norm"] == 2e-3
    assert rates["projections.text.1"] == rates["heads.pitch"] == 3e-4


def test_it_takes_the_features_and_the_audio_that_its_encoders_take() -> None:
    (feature,) = built().features
    assert isinstance(feature, ReferenceTranscript)
    assert built().audio_input == "augmented"
    assert built(encoders={"text": TEXT}).audio_input == "none"


def test_a_joint_model_can_be_an_encoder_of_another() -> None:
    inner = {
        "class_path": "Joint",
        "init_args": {"encoders": {"audio": AUDIO, "text": TEXT}, "hidden": 5},
    }
    assert built(encoders={"both": inner}).projections["both"][1].in_features == 5  # type: ignore[index]


def test_what_a_branch_says_about_its_own_tasks_is_left_out() -> None:
    audio = {**AUDIO, "init_args": {"width": 4, "stages": 2, "loss_weights": {"sex": 0.3}}}
    assert built(encoders={"audio": audio}).specs["audio"]["init_args"]["loss_weights"] is None


def test_audio_at_another_rate_than_an_encoder_s_is_refused(tones: Path, tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match=r"expected data\.rate_hz 16000"):
        fit(built(), data_of(tones, rate_hz=8000), tmp_path)


def test_a_frozen_encoder_without_a_checkpoint_is_refused(
    tones: Path, tmp_path: Path, audio_checkpoint: Path
) -> None:
    branch = built(frozen=True, checkpoints={"audio": str(audio_checkpoint)})
    with pytest.raises(EmorecError, match="a checkpoint of every frozen encoder; found none of text"):
        fit(branch, data_of(tones), tmp_path)


@pytest.mark.parametrize(
    ("encoder", "complaint"),
    [
        ({**AUDIO, "init_args": {"width": 8, "stages": 2}}, r"a checkpoint of a AudioCnn.*size mismatch"),
        (TEXT, r"a checkpoint of a TranscriptGru.* missing "),
    ],
)
def test_a_checkpoint_of_another_model_is_refused(
    encoder: dict[str, Any], complaint: str, tones: Path, tmp_path: Path, audio_checkpoint: Path
) -> None:
    branch = built(encoders={"only": encoder}, checkpoints={"only": str(audio_checkpoint)})
    with pytest.raises(EmorecError, match=complaint):
        fit(branch, data_of(tones), tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"no checkpoint", "weights"])
def test_a_file_that_is_no_checkpoint_is_refused(
    content: bytes | str | None, tones: Path, tmp_path: Path
) -> None:
    file = tmp_path / "audio.ckpt"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        torch.save({"something": "else"}, file)
    branch = built(encoders={"audio": AUDIO}, checkpoints={"audio": str(file)})
    with pytest.raises(EmorecError, match=r"audio\.ckpt"):
        fit(branch, data_of(tones), tmp_path)


@pytest.mark.parametrize(
    ("knobs", "complaint"),
    [
        ({"encoders": {}}, "at least one encoder; found none"),
        ({"encoders": {"audio": {"init_args": {}}}}, "an encoder's class_path and init_args"),
        ({"encoders": {"audio": {"class_path": "AudioCnn", "init_args": {"depth": 3}}}}, "depth"),
        (
            {"encoders": {"words": {"class_path": "TfidfSvc"}}},
            "encoders that embed; found .*TfidfSvc for words",
        ),
        ({"checkpoints": {"video": "x.ckpt"}}, r"checkpoints of \['audio', 'text'\]; found video"),
        ({"size": 0}, "size of at least 1"),
        ({"hidden": 0}, "hidden of at least 1"),
        ({"modality_dropout": 1.0}, r"modality_dropout in \[0, 1\)"),
        ({"dropout": -0.1}, r"dropout in \[0, 1\)"),
    ],
)
def test_arguments_that_make_no_model_are_refused(knobs: dict[str, Any], complaint: str) -> None:
    with pytest.raises(EmorecError, match=complaint):
        built(**knobs)


def test_a_branch_that_does_not_embed_says_so() -> None:
    branch = build_branch({"class_path": "Vader", "init_args": {"transcript": "reference"}}, TASKS)
    with pytest.raises(EmorecError, match="a branch that can embed; found Vader"):
        branch.encode()
