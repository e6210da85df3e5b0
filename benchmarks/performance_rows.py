"""The rows of `performance.py`: what is measured of each part, against what."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from performance import BATCH, CROP_S, RATE_HZ, TRIM_DB, Comparison, Setting, Side
from torch.utils.data import DataLoader, Dataset

from lightning_emorec.augment import SpeedPerturb, augment, draw_seed
from lightning_emorec.branches import AudioCnn
from lightning_emorec.datamodule import EmotionDataModule

EPOCHS = 2


class Decoded(Dataset[torch.Tensor]):
    """The usual way: each file is decoded at each epoch."""

    def __init__(self, paths: Sequence[Path], transforms: Sequence[Any]) -> None:
        self.paths, self.transforms = paths, transforms

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        import librosa

        audio, _ = librosa.load(self.paths[index], sr=RATE_HZ)
        audio, _ = librosa.effects.trim(audio, top_db=TRIM_DB)
        for transform in self.transforms:
            audio = transform(audio, RATE_HZ)
        crop = round(CROP_S * RATE_HZ)
        start = np.random.randint(max(1, len(audio) - crop))
        return torch.from_numpy(np.pad(audio[start : start + crop], (0, max(0, crop - len(audio)))))


def read_all(loader: DataLoader[Any]) -> None:
    """Some epochs; the loader's workers end with it."""
    for _ in range(EPOCHS):
        for _ in loader:
            pass
    loader._iterator = None  # workers that live on are counted when they have ended


def input_row(setting: Setting) -> dict[str, Comparison]:
    """Epochs from the decoded store; the limit is reading the decoded clips, or the transforms alone."""
    import audiomentations as of

    light = [SpeedPerturb(p=0.7), of.Gain(-4.0, 4.0, p=0.5), of.AddGaussianSNR(10.0, 30.0, p=0.5)]
    heavy = [of.TimeStretch(0.9, 1.1, p=1.0), of.PitchShift(-2, 2, p=1.0), of.AddGaussianSNR(p=1.0)]
    made = {}
    for name, transforms in {"none": [], "light": light, "heavy": heavy}.items():
        for workers in (0, 1, 2):
            data = setting.data(transforms, workers)
            clips = data.clips("train")
            paths = [clip.path for clip in clips if clip.path is not None]

            def usual(paths: list[Path] = paths, of: list[Any] = transforms, workers: int = workers) -> None:
                loader = DataLoader(
                    Decoded(paths, of), BATCH, True, num_workers=workers, persistent_workers=workers > 0
                )
                read_all(loader)

            def limit(data: EmotionDataModule = data, paths: list[Path] = paths) -> None:
                for _ in range(EPOCHS):
                    for path in paths:
                        data.audio.load(path)

            ready = [(clip.id, data.front_end(data.audio.load(clip.path))) for clip in clips]  # type: ignore[arg-type]

            def alone(ready: list[Any] = ready, of: list[Any] = transforms) -> None:
                for _ in range(EPOCHS):
                    for clip, audio in ready:
                        augment(audio, of, RATE_HZ, draw_seed(1, 0, clip))

            made[f"augmentation {name}, {workers} workers"] = Comparison(
                EPOCHS * len(clips),
                {
                    "this": lambda data=data: read_all(data.train_dataloader()),  # type: ignore[misc]
                    "usual": usual,
                    "limit": alone if transforms else limit,
                },
            )
    return made


def training_row(setting: Setting) -> dict[str, Comparison]:
    """Steps of the audio CNN on ready batches, as it is and changed; and an epoch with all around it."""
    from lightning.pytorch import Trainer

    data = setting.data()
    batches = list(data.train_dataloader())
    clips = sum(len(batch.clip_ids) for batch in batches)

    def cnn() -> AudioCnn:
        torch.manual_seed(0)
        return AudioCnn(setting.tasks, mixup=0.2)

    def channels_first(model: AudioCnn) -> None:
        model.encoder.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        model.encoder.stem.register_forward_pre_hook(lambda _, given: (given[0].contiguous(),))

    def compiled(model: AudioCnn) -> None:
        model.encoder.compile(dynamic=True)

    def steps(
        change: Callable[[AudioCnn], None] = lambda _: None, bf16: bool = False, **options: Any
    ) -> Side:
        model = cnn().train()
        change(model)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, **options)

        def run() -> None:
            for batch in batches:
                with torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext():
                    loss = model.training_loss(batch)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()

        return run

    def epoch() -> None:
        quiet = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary"), False)
        kept: dict[str, Any] = {**quiet, "enable_checkpointing": False, "limit_val_batches": 0}
        trainer = Trainer(accelerator="cpu", max_epochs=1, **kept)
        trainer.fit(cnn(), datamodule=data)

    plain = steps()
    changed = {
        "channels first": steps(channels_first),
        "fused optimiser": steps(fused=True),
        "optimiser with foreach": steps(foreach=True),
        "bf16 autocast": steps(bf16=True),
        "torch.compile": steps(compiled),
    }
    made = {
        "an epoch of Trainer (limit: its steps alone)": Comparison(clips, {"this": epoch, "limit": plain})
    }
    for name, change in changed.items():
        made[f"step (usual way: {name})"] = Comparison(clips, {"this": plain, "usual": change})
    return made


def whisper_row(setting: Setting) -> dict[str, Comparison]:
    """States and transcripts; the limit is the encoder on a clip's own frames, once."""
    import tempfile

    import whisper

    from lightning_emorec.features import (
        FeatureCache,
        FeatureReader,
        WhisperStateStatistics,
        WhisperTranscript,
    )
    from lightning_emorec.features.whisper_context import log_mel

    data = setting.data()
    clips = data.clips("train")[: max(4, setting.clips // 8)]
    states, words = WhisperStateStatistics(), WhisperTranscript(context_s=10.0)
    words.check_available()
    model = states.weights.load()
    sounds = [torch.from_numpy(data.audio.load(clip.path)) for clip in clips]  # type: ignore[arg-type]

    def fill(*features: Any) -> None:
        with tempfile.TemporaryDirectory(dir=setting.folder) as empty:
            FeatureReader(FeatureCache(Path(empty)), features, data.audio).fill(clips, show=False)

    @torch.inference_mode()
    def encode(margin_s: float | None) -> None:
        positions = model.encoder.positional_embedding
        for sound in sounds:
            mel = log_mel(sound, margin_s, model.dims.n_mels)
            model.encoder.positional_embedding = positions[: mel.shape[1] // 2]
            model.encoder(mel[None])
        model.encoder.positional_embedding = positions

    def transcribe() -> None:
        for sound in sounds:
            whisper.transcribe(model, sound, language="en", fp16=False)

    def both() -> None:
        transcribe()
        encode(None)

    own = partial(encode, 0.5)
    sides: dict[str, dict[str, Side]] = {
        "states (usual way: the encoder on 30 s)": {
            "this": partial(fill, states),
            "usual": partial(encode, None),
            "limit": own,
        },
        "transcripts (usual way: whisper.transcribe)": {"this": partial(fill, words), "usual": transcribe},
        "states and transcripts": {"this": partial(fill, states, words), "usual": both, "limit": own},
    }
    return {name: Comparison(len(clips), of) for name, of in sides.items()}


def fit_row(setting: Setting) -> dict[str, Comparison]:
    """A `fit` of a small fusion, all of it reused; the usual way is from nothing, the limit importing Lightning."""
    config = _fit_config(setting, branches=True)
    fit = ["-m", "lightning_emorec", "fit", "--config", str(config)]
    _python(*fit, runs=setting.folder / "kept")
    numbers = iter(range(1000))
    sides: dict[str, Side] = {
        "this": lambda: _python(*fit, runs=setting.folder / "kept"),
        "usual": lambda: _python(*fit, runs=setting.folder / f"new-{next(numbers)}"),
        "limit": lambda: _python("-c", "import lightning.pytorch"),
    }
    return {"a run again (usual way: from nothing; limit: import lightning)": Comparison(1, sides)}


def predict_row(setting: Setting) -> dict[str, Comparison]:
    """Files labelled by a small trained CNN, imports left out; the limit is the network alone."""
    import librosa

    from lightning_emorec.__main__ import main

    config, runs = _fit_config(setting, branches=False), setting.folder / "runs"
    _python("-m", "lightning_emorec", "fit", "--config", str(config), runs=runs)
    files = sorted(map(str, setting.corpus.glob("*.wav")))
    data, model = setting.data(), AudioCnn(setting.tasks).eval()
    sounds = [torch.from_numpy(data.audio.load(Path(file)))[None] for file in files]
    numbers = iter(range(1000))

    def this() -> None:
        output = str(setting.folder / f"found-{next(numbers)}.csv")
        main(["predict", *files, "--ckpt", str(runs / "single"), "--output", output])

    @torch.inference_mode()
    def judge(audio: torch.Tensor) -> None:
        model.net(audio, torch.tensor([audio.shape[1]]))

    def usual() -> None:
        for file in files:
            judge(torch.from_numpy(librosa.load(file, sr=RATE_HZ)[0])[None])

    def limit() -> None:
        for sound in sounds:
            judge(sound)

    sides: dict[str, Side] = {"this": this, "usual": usual, "limit": limit}
    return {"a file (usual way: librosa and the network)": Comparison(len(files), sides)}


def _fit_config(setting: Setting, branches: bool) -> Path:
    """A config of the audio CNN for one epoch, and over it, if asked for, of a fusion with a text branch."""
    corpus = {"path": str(setting.corpus / "manifest.csv"), "tasks": setting.tasks, "text_column": "text"}
    split = {"test": [setting.actors[-1]], "val": [setting.actors[-2]]}
    data = {
        "corpus": {"class_path": "ManifestCorpus", "init_args": corpus},
        "split": {"class_path": "ActorLists", "init_args": split},
        "cache": str(setting.folder / "cache"),
        "trim_db": TRIM_DB,
    }
    trainer = {"accelerator": "cpu", "max_epochs": 1, "num_sanity_val_steps": 0}

    def write(name: str, model: dict[str, Any], epochs: int = 1) -> Path:
        path = setting.folder / f"{name}.yaml"
        config = {"name": name, "model": model, "data": data, "trainer": {**trainer, "max_epochs": epochs}}
        path.write_text(yaml.safe_dump(config), encoding="utf8")
        return path

    single = write("single", {"class_path": "AudioCnn"})
    if not branches:
        return single
    write("text", {"class_path": "TranscriptGru", "init_args": {"transcript": "reference"}})
    named = {"audio": "single.yaml", "text": "text.yaml"}
    return write("fused", {"class_path": "FusionModule", "init_args": {"branches": named}}, epochs=0)


def _python(*words: str, runs: Path | None = None) -> float:
    """Run Python to its end, and give the peak of its memory in MB."""
    place = ["--runs", str(runs)] if runs else []
    child = subprocess.Popen(
        [sys.executable, *words, *place], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert child.stdout is not None
    said = child.stdout.read().decode(errors="replace")
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{' '.join(words[:3])} failed: {said.strip().splitlines()[-1:]}")
    return usage.ru_maxrss / 1024
