"""A fused run exported, checked, and judged by ONNX Runtime without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from lightning_emorec.__main__ import main
from lightning_emorec.errors import EmorecError
from lightning_emorec.recognition.onnx_model import OnnxModel
from tests.cli.conftest import Project, make_project
from tests.warm_start import COLD, COMMAND

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Exported:
    project: Project
    folder: Path
    printed: str


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, tones: Path) -> Iterator[Exported]:
    """The export of a fusion of a text and an audio branch, which is 8 bits wide where that can be."""
    folder = tmp_path_factory.mktemp("exporting")
    project = make_project(folder, tones)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMOREC_CACHE", str(folder / "cache"))
        project.run("fit", "--config", project.config("fused"))
        args = ["--runs", str(project.runs), "--int8", "true", "--max_loss", "0.5"]
        # In a process of its own: once a process has exported, its forks cannot train.
        done = subprocess.run(
            [*COMMAND, "export", "fused", str(folder / "exported"), *args],
            capture_output=True,
            text=True,
            check=True,
        )
        yield Exported(project, folder / "exported", done.stdout)


def test_the_folder_is_whole(exported: Exported) -> None:
    names = {
        path.relative_to(exported.folder).as_posix() for path in exported.folder.rglob("*") if path.is_file()
    }
    assert {"model.onnx", "README.md", "SHA256SUMS", ".eval_results/fused.yaml"} <= names
    assert "silero_vad_16k_sequence.onnx" in names
    sums = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=exported.folder, capture_output=True, check=False
    )
    assert sums.returncode == 0


def test_what_was_left_out_and_its_cost_are_printed(exported: Exported) -> None:
    assert "left out text: TranscriptGru reads transcript" in exported.printed
    # One validation actor only: nobody could be fused by what is learned from others.
    assert "8 bits: " in exported.printed
    assert "difference to PyTorch, audio.pitch: " in exported.printed


def test_the_card_is_filled_in(exported: Exported) -> None:
    text = (exported.folder / "README.md").read_text()
    matter = yaml.safe_load(text.split("---")[1])
    assert (matter["license"], matter["pipeline_tag"]) == ("other", "audio-classification")
    assert matter["model-index"][0]["results"][0]["dataset"]["name"] == "ManifestCorpus"
    for part in (
        "Art. 5(1)(f)",
        "not legal advice",
        "**Acted expression is not feeling**",
        "`text` is left out",
    ):
        assert part in text
    assert "SYNTHETIC" not in text
    (entry, _) = yaml.safe_load((exported.folder / ".eval_results" / "fused.yaml").read_text())
    assert entry["dataset"]["task_id"] == "pitch_accuracy"


def test_the_model_describes_itself(exported: Exported) -> None:
    model = OnnxModel(exported.folder)
    assert (model.name, model.rate_hz, model.synthetic, model.reads_text) == ("fused", 16000, False, False)
    assert model.tasks == {"pitch": ["low", "middle", "high"]}
    assert model.branches == ["audio"]
    assert model.info["precision"] == "int8"
    assert "/" not in json.dumps(model.info["left_out"])


def test_a_clip_gives_the_same_alone_and_in_any_company(exported: Exported, tones: Path) -> None:
    model = OnnxModel(exported.folder)
    sounds = [soundfile.read(path, dtype="float32")[0] for path in sorted(tones.parent.glob("6-*.wav"))]
    sounds += [np.zeros(1, np.float32), np.ones(40 * 16000, np.float32)]
    together = model.judge(sounds)
    for row, sound in enumerate(sounds):
        alone = model.judge([sound])
        np.testing.assert_allclose(alone.logits["pitch"][0], together.logits["pitch"][row], atol=1e-6)
        np.testing.assert_allclose(
            np.exp(together.branches["audio"]["pitch"][row].astype(float)).sum(), 1, atol=1e-5
        )
    assert model.judge([]).logits == {}


def test_torch_is_not_imported(exported: Exported) -> None:
    code = (
        "import sys, numpy; from lightning_emorec.recognition.onnx_model import OnnxModel; "
        f"print(OnnxModel({str(exported.folder)!r}, 1).judge([numpy.zeros(9000, 'f')]).logits['pitch'].shape); "
        "print([name for name in ('torch', 'lightning', 'silero_vad', 'whisper') if name in sys.modules])"
    )
    process = COLD([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    printed, _ = process.communicate()
    assert printed.splitlines() == ["(1, 3)", "[]"]


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match="the folder of an export; found no file"):
        OnnxModel(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(EmorecError, match=r"a model that `export` wrote; found .*model\.onnx"):
        OnnxModel(tmp_path)


def test_a_model_without_a_branch_for_a_graph_is_refused(exported: Exported, tmp_path: Path) -> None:
    (text,) = (exported.project.runs / "branches").glob("text-*")
    with pytest.raises(SystemExit):
        main(["export", str(text), str(tmp_path / "exported")])
    assert not any(tmp_path.iterdir())
