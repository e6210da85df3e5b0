"""A small project on disk: configs over the manifest of tones."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lightning_emorec.__main__ import main
from lightning_emorec.audio import FrontEnd
from lightning_emorec.branches import AudioCnn
from lightning_emorec.cli import EmorecCLI
from lightning_emorec.export.folder import add_checksums, add_licences, add_speech
from lightning_emorec.export.graph import ModelGraph
from lightning_emorec.export.onnx_file import write_onnx
from lightning_emorec.recognition.onnx_model import MODEL
from tests.warm_start import COLD, WarmPopen


@dataclass(frozen=True)
class Project:
    """Configs in a folder of their own, and where their runs go."""

    folder: Path

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def config(self, name: str) -> str:
        return str(self.folder / f"{name}.yaml")

    def write(self, name: str, config: dict[str, Any]) -> str:
        Path(self.config(name)).write_text(yaml.safe_dump(config), encoding="utf8")
        return self.config(name)

    def run(self, *args: str) -> EmorecCLI:
        """Run a verb in this process."""
        cli = main([*args, "--runs", str(self.runs)])
        assert isinstance(cli, EmorecCLI)
        return cli

    def start(self, *args: str, cold: bool = False) -> subprocess.Popen[str]:
        """Start a verb in a process group of its own; `cold` where it starts ranks, which run its script again."""
        return (COLD if cold else subprocess.Popen)(
            [sys.executable, "-m", "lightning_emorec", *args, "--runs", str(self.runs)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # A shell starts a background job with Ctrl-C ignored, and a child inherits that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def metrics(self, run: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.runs / run / "metrics.json").read_text())
        return content


@pytest.fixture(scope="module", autouse=True)
def _warm_start() -> Iterator[None]:
    """Processes of this package are forks of this one, with what it has imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", WarmPopen)
        yield


@pytest.fixture
def project(tmp_path: Path, tones: Path) -> Project:
    """A project of its own for each test."""
    return make_project(tmp_path, tones)


@pytest.fixture(scope="session")
def small_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an export of a network that has not been trained."""
    for needed in ("onnxruntime", "onnxscript"):
        pytest.importorskip(needed)
    tasks, front_end = {"pitch": ["low", "middle", "high"]}, FrontEnd(16000, 30.0, False, 15.0)
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("small") / "export"
    folder.mkdir()
    metadata = {
        **{"name": "small", "version": "1", "rate_hz": 16000, "longest_s": 30, "labels": tasks},
        **{"branches": [], "confidence": {}, "synthetic": True, "precision": "float32"},
    }
    graph = ModelGraph({"audio": AudioCnn(tasks, width=4, stages=2).eval()}, None, front_end)
    # In a process of its own: once a process has exported, its forks cannot train.
    arguments = (graph, front_end.rate_hz, folder / MODEL, metadata)
    child = multiprocessing.get_context("fork").Process(target=write_onnx, args=arguments)
    child.start()
    child.join()
    assert child.exitcode == 0
    (folder / "README.md").write_text("---\nlicense: other\n---\n# small\n", encoding="utf8")
    add_speech(folder)
    add_licences(folder)
    add_checksums(folder)
    return folder


def make_project(folder: Path, tones: Path) -> Project:
    """`text` and `audio` branches and `fused` over both, two epochs each."""
    data = {
        "corpus": {
            "class_path": "ManifestCorpus",
            "init_args": {
                "path": str(tones),
                "tasks": {"pitch": ["low", "middle", "high"]},
                "text_column": "text",
            },
        },
        "split": {"class_path": "ActorLists", "init_args": {"test": [6], "val": [5]}},
    }
    trainer = {
        "max_epochs": 2,
        "accelerator": "cpu",
        "num_sanity_val_steps": 0,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    made = Project(folder)
    text = {"class_path": "TranscriptGru", "init_args": {"transcript": "reference"}}
    audio = {"class_path": "AudioCnn", "init_args": {"width": 4, "stages": 2}}
    made.write("text", {"name": "text", "model": text, "data": data, "trainer": trainer})
    made.write(
        "audio", {"name": "audio", "model": audio, "data": {**data, "batch_size": 8}, "trainer": trainer}
    )
    fused = {
        "class_path": "FusionModule",
        "init_args": {"branches": {"text": "text.yaml", "audio": "audio.yaml"}},
    }
    made.write(
        "fused", {"name": "fused", "model": fused, "data": data, "trainer": {**trainer, "max_epochs": 0}}
    )
    return made
