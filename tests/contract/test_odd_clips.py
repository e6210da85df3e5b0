"""Clips of one sample, ten samples and 0.06 s, and digital silence, through all that reads audio: finite figures."""

from __future__ import annotations

import csv
import inspect
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import soundfile
import torch
from audiomentations.core.transforms_interface import BaseWaveformTransform
from lightning.pytorch import Trainer
from numpy.typing import NDArray

from lightning_emorec.audio import AudioStore
from lightning_emorec.augment import augment
from lightning_emorec.branches import ClosedFormBranch, build_branch, resolve_spec
from lightning_emorec.commands.stress.degradations import DEGRADATIONS
from lightning_emorec.commands.stress.recording import Recording, Voices
from lightning_emorec.corpora import ManifestCorpus
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.features import Feature, Value
from lightning_emorec.runs.steps import train_or_solve
from lightning_emorec.splits import ActorLists
from lightning_emorec.types import Clip
from tests.conftest import CONFIGS, TONES_HZ
from tests.contract.branch_cases import SMALL
from tests.contract.test_features import MAKERS
from tests.tiny_whisper import save_whisper
from tests.unit.augment.test_augment_configs import transforms_of

TASKS = {"pitch": [*TONES_HZ]}
RATE_HZ = 16000
SHORT = {"one": 1, "ten": 10, "sixty_ms": 960}

Sound = NDArray[np.float32]


def odd_sounds() -> dict[str, Sound]:
    tone = 0.3 * np.cos(2 * np.pi * 220 * np.arange(960) / RATE_HZ)
    sounds = {name: tone[:samples] for name, samples in SHORT.items()} | {"silence": np.zeros(RATE_HZ)}
    return {name: sound.astype(np.float32) for name, sound in sounds.items()}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    folder = tmp_path_factory.mktemp("odd")
    for name, sound in odd_sounds().items():
        soundfile.write(folder / f"{name}.wav", sound, RATE_HZ)
    return [Clip(name, "1", folder / f"{name}.wav", text="") for name in odd_sounds()]


@pytest.fixture(scope="module")
def table(tones: Path, odd: list[Clip], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tones, and odd clips of an actor of each part."""
    folder = Path(shutil.copytree(tones.parent, tmp_path_factory.mktemp("with_odd") / "tones"))
    rows = list(csv.DictReader((folder / tones.name).open(encoding="utf8")))
    for actor in ("1", "5", "6"):
        for clip, pitch in zip(odd, [*TONES_HZ, "low"], strict=True):
            assert clip.path is not None
            name = f"{actor}-{clip.path.name}"
            shutil.copy(clip.path, folder / name)
            rows.append({**rows[0], "path": name, "actor": actor, "pitch": pitch, "text": ""})
    with (folder / "odd.csv").open("w", newline="", encoding="utf8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "odd.csv"


@pytest.fixture(autouse=True)
def _tiny_whisper(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path_factory.getbasetemp() / "odd_whisper.pt"
    monkeypatch.setenv("EMOREC_WHISPER", str(file if file.exists() else save_whisper(file)))


def module(table: Path, on_error: Literal["error", "skip"], **knobs: Any) -> EmotionDataModule:
    corpus = ManifestCorpus(str(table), tasks=TASKS, text_column="text")
    return EmotionDataModule(corpus, ActorLists(test=[6], val=[5]), on_error=on_error, **knobs)


def always(transforms: list[BaseWaveformTransform]) -> list[BaseWaveformTransform]:
    for transform in transforms:
        transform.p = 1.0
    return transforms


@pytest.mark.parametrize("name", sorted(SMALL))
def test_every_branch_learns_from_odd_clips_and_judges_them(name: str, table: Path, tmp_path: Path) -> None:
    transforms = always(transforms_of(CONFIGS / "augment" / "wide.yaml"))
    knobs: dict[str, Any] = {"trim_db": 30.0, "peak_normalise": True, "crop_s": 0.3}
    data = module(table, "error", batch_size=8, augment=transforms, **knobs)
    branch = build_branch(resolve_spec({"class_path": name, "init_args": SMALL[name]}, TASKS), TASKS)
    trainer = Trainer(
        max_epochs=0 if isinstance(branch, ClosedFormBranch) else 1,
        accelerator="cpu",
        logger=False,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        enable_checkpointing=False,
    )
    train_or_solve(trainer, branch, data)
    branch.eval()
    assert all(weight.isfinite().all() for weight in branch.parameters())
    data.batch_size = 1
    for batch in data.test_dataloader():
        with torch.no_grad():
            assert branch(batch)["pitch"].isfinite().all(), batch.clip_ids


@pytest.mark.parametrize("on_error", ["error", "skip"])
def test_odd_clips_are_used_counted_and_not_skipped(
    on_error: Literal["error", "skip"], table: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = module(table, on_error)
    with caplog.at_level("INFO", logger="lightning_emorec"):
        data.prepare_data()
    assert data.skipped == {}
    assert data.counts is not None
    assert (data.counts.clips, data.counts.found) == (66, {"shorter than 0.1 s": 9, "silent": 3})
    assert str(data.counts) in caplog.messages


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_every_feature_of_odd_clips_is_finite(name: str, odd: list[Clip], tmp_path: Path) -> None:
    feature: Feature = MAKERS[name](tmp_path)
    if "transcript" in inspect.signature(type(feature)).parameters or not feature.from_audio:
        pytest.skip("reads no audio")
    values = list(feature.compute(odd, AudioStore(tmp_path / "cache", RATE_HZ)))
    assert len(values) == len(odd)
    for clip, value in zip(odd, values, strict=True):
        assert all(np.isfinite(figure).all() for figure in _figures(value)), clip.id


def _figures(value: Value) -> Iterator[Any]:
    yield from ([value] if isinstance(value, np.ndarray) else [])


def _each(files: Iterable[Path]) -> Iterator[Any]:
    for file in files:
        for place, transform in enumerate(transforms_of(file)):
            yield pytest.param(transform, id=f"{file.stem}-{place}")


@pytest.mark.parametrize("transform", _each(sorted((CONFIGS / "augment").glob("*.yaml"))))
@pytest.mark.parametrize("name", odd_sounds())
def test_every_transform_of_odd_clips_is_finite(transform: BaseWaveformTransform, name: str) -> None:
    for seed in range(10):
        changed = augment(odd_sounds()[name], always([transform]), RATE_HZ, seed)
        assert changed.size
        assert np.isfinite(changed).all()


@pytest.mark.parametrize("condition", DEGRADATIONS)
@pytest.mark.parametrize("name", odd_sounds())
def test_every_condition_of_odd_clips_is_finite(
    condition: str, name: str, odd: list[Clip], tmp_path: Path
) -> None:
    others = [Clip(f"{clip.id} of another", f"other {clip.id}", clip.path) for clip in odd]
    voices = Voices(others, AudioStore(tmp_path, RATE_HZ))
    apply: Callable[[Recording, float], Sound] = DEGRADATIONS[condition].apply
    for severity in DEGRADATIONS[condition].severities:
        changed = apply(Recording(odd_sounds()[name], RATE_HZ, Clip(name, "1", None), 1, voices), severity)
        assert len(changed)
        assert np.isfinite(changed).all()
