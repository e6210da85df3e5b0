"""A trained model in Python: from its checkpoint alone, in another folder, to the logits that its run kept."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from lightning_emorec import Clip, TrainedModel, branch_logits, load_model, logits_of
from lightning_emorec.audio import AudioStore
from lightning_emorec.errors import EmorecError
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.run_paths import best_checkpoint, logits_file
from tests.cli.conftest import make_project

TEST_ACTOR = "6"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, tones: Path) -> Iterator[Path]:
    """Checkpoints and test logits of a fused and of a single run; their project is gone, and we are elsewhere."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "project").mkdir()
    project = make_project(folder / "project", tones)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMOREC_CACHE", str(folder / "cache"))
        for name in ("fused", "audio"):
            project.run("fit", "--config", project.config(name))
            shutil.copy(best_checkpoint(project.runs / name), folder / f"{name}.ckpt")
            shutil.copy(logits_file(project.runs / name, "test"), folder / f"{name}.pt")
        (branch,) = (project.runs / "branches").glob("text-*")
        shutil.copy(logits_file(branch, "test"), folder / "text.pt")
        shutil.rmtree(project.folder)
        shutil.rmtree(folder / "cache")
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        yield folder


@pytest.fixture(scope="module")
def clips(tones: Path) -> list[Clip]:
    """The clips of the test as anyone has them: a file and a text, without labels and without an actor."""
    with tones.open(newline="", encoding="utf8") as file:
        rows = [row for row in csv.DictReader(file) if row["actor"] == TEST_ACTOR]
    made = [Clip(row["path"], "", tones.parent / row["path"], text=row["text"]) for row in rows]
    return sorted(made, key=lambda clip: clip.id)  # as the corpus lists them


@pytest.mark.parametrize("name", ["fused", "audio"])
def test_logits_are_those_that_the_run_kept(kept: Path, clips: list[Clip], name: str) -> None:
    trained = load_model(kept / f"{name}.ckpt")
    found = logits_of(trained, clips, device="cpu")
    expected = PartLogits.load(kept / f"{name}.pt")
    assert found.clip_ids == expected.clip_ids
    torch.testing.assert_close(found.logits["pitch"], expected.logits["pitch"], rtol=0, atol=0)
    assert (found.labels["pitch"] < 0).all()
    assert trained.tasks == {"pitch": ["low", "middle", "high"]}
    assert not any(module.training for module in trained.model.modules() if module is not trained.model)


def test_branches_of_a_fusion_have_their_own_logits(kept: Path, clips: list[Clip]) -> None:
    trained = load_model(kept / "fused.ckpt")
    parts = branch_logits(trained, clips, device="cpu")
    assert list(parts) == list(trained.branches)
    assert set(parts) == {"audio", "text"}
    torch.testing.assert_close(
        parts["text"].logits["pitch"], PartLogits.load(kept / "text.pt").logits["pitch"], rtol=0, atol=0
    )
    assert list(branch_logits(trained, clips, names=["text"])) == ["text"]
    assert list(branch_logits(load_model(kept / "audio.ckpt"), clips)) == ["model"]


@pytest.mark.parametrize("size", [1, 4])
def test_the_batch_size_makes_no_difference(kept: Path, clips: list[Clip], size: int) -> None:
    trained = load_model(kept / "fused.ckpt")
    found, expected = (logits_of(trained, clips, batch_size=of).logits["pitch"] for of in (size, 32))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_clip_without_audio_is_fused_from_the_other_branches(kept: Path, clips: list[Clip]) -> None:
    mixed = [replace(clips[0], path=None), *clips[1:]]
    trained = load_model(kept / "fused.ckpt")
    found, whole = logits_of(trained, mixed), logits_of(trained, clips)
    assert found.clip_ids == [clip.id for clip in clips]
    torch.testing.assert_close(found.logits["pitch"][1:], whole.logits["pitch"][1:])
    parts = branch_logits(trained, mixed)
    assert parts["audio"].clip_ids == [clip.id for clip in clips[1:]]
    assert logits_of(load_model(kept / "audio.ckpt"), mixed).clip_ids == [clip.id for clip in clips[1:]]


class ArrayStore(AudioStore):
    """Audio that is in memory already, by the name of a file that is not there."""

    def __init__(self, arrays: dict[Path, NDArray[np.float32]], rate_hz: int, folder: Path) -> None:
        super().__init__(folder, rate_hz)
        self.arrays = arrays

    def at(self, rate_hz: int) -> ArrayStore:
        assert rate_hz == self.rate_hz
        return self

    def digests(self, paths: Sequence[Path]) -> list[str]:
        return [str(path) for path in paths]

    def load(self, path: Path) -> NDArray[np.float32]:
        return self.arrays[path]


def test_audio_may_come_from_arrays(kept: Path, clips: list[Clip], tmp_path: Path) -> None:
    trained = load_model(kept / "audio.ckpt")
    arrays = {Path(clip.id): soundfile.read(str(clip.path), dtype="float32")[0] for clip in clips}
    unnamed = [replace(clip, path=Path(clip.id)) for clip in clips]
    found = logits_of(trained, unnamed, ArrayStore(arrays, 16000, tmp_path))
    torch.testing.assert_close(
        found.logits["pitch"], logits_of(trained, clips).logits["pitch"], rtol=1e-3, atol=1e-3
    )
    assert not any(tmp_path.iterdir())


def test_no_clip_that_the_model_can_take_is_an_error(kept: Path, clips: list[Clip]) -> None:
    trained = load_model(kept / "audio.ckpt")
    with pytest.raises(EmorecError, match="found no clips"):
        logits_of(trained, [])
    with pytest.raises(EmorecError, match="9 clips, none of which has audio; give clips with an audio file"):
        logits_of(trained, [replace(clip, path=None) for clip in clips])


def test_a_run_folder_serves_as_well_as_its_checkpoint(kept: Path, tmp_path: Path) -> None:
    best_checkpoint(tmp_path).parent.mkdir()
    shutil.copy(kept / "audio.ckpt", best_checkpoint(tmp_path))
    trained: TrainedModel = load_model(str(tmp_path))
    assert trained.checkpoint == best_checkpoint(tmp_path)
    assert (trained.seed, trained.batch_size, trained.front_end.rate_hz) == (1, 8, 16000)
    assert "class_path: lightning_emorec.branches.AudioCnn" in trained.config


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"expected a checkpoint file; found no file .*model\.ckpt; name a run's folder or its"),
        (b"half a checkpoint", "which cannot be read"),
        ({"state_dict": {}}, "which does not describe the model; train the run with `fit`"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: object, message: str) -> None:
    file = tmp_path / "model.ckpt"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        torch.save(content, file)
    with pytest.raises(EmorecError, match=message):
        load_model(file)


def test_a_checkpoint_of_another_architecture_is_refused(kept: Path, tmp_path: Path) -> None:
    content = torch.load(kept / "audio.ckpt", weights_only=True)
    content["hyper_parameters"]["width"] += 1
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(EmorecError, match="a checkpoint whose state fits this version's AudioCnn"):
        load_model(tmp_path / "other.ckpt")
