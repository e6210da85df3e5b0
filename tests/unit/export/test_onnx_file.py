from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lightning_emorec.branches import PublishedCnn
from lightning_emorec.export.check import check_clips, differences, require_equal
from lightning_emorec.export.graph import ModelGraph
from lightning_emorec.export.onnx_file import write_onnx
from lightning_emorec.fusion import Average
from lightning_emorec.recognition.onnx_model import OnnxModel
from tests.tiny_whisper import save_whisper
from tests.unit.export.test_graphs import FRONT_END, TASKS, selection_of, whisper_branch

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.mark.slow
def test_the_file_of_a_fusion_gives_what_pytorch_gives(tmp_path: Path) -> None:
    torch.manual_seed(0)
    rule = Average()
    rule.fit(torch.randn(2, 8, 3), torch.arange(8) % 3)
    selection = replace(
        selection_of(
            whisper=whisper_branch(save_whisper(tmp_path / "whisper.pt"), convolutions=True, quantiles=True),
            cnn=PublishedCnn(TASKS, rate_hz=16000, duration_s=1.5).eval(),
        ),
        rules=dict.fromkeys(TASKS, rule),
    )
    metadata = {
        **{"name": "pair", "version": "1", "rate_hz": 16000, "longest_s": 30, "labels": TASKS},
        **{"branches": ["whisper", "cnn"], "confidence": {}, "synthetic": True, "precision": "float32"},
    }
    file = tmp_path / "model.onnx"
    write_onnx(ModelGraph(selection.branches, selection.rules, FRONT_END), 16000, file, metadata)
    model = OnnxModel(tmp_path, threads=1)
    found = differences(model, selection, check_clips(16000))
    assert set(found) == {
        "pitch",
        "voice",
        *(f"{name}.{task}" for name in ("whisper", "cnn") for task in TASKS),
    }
    require_equal(found)
    assert model.synthetic
    assert model.branches == ["whisper", "cnn"]
    assert b"/site-packages/" not in file.read_bytes()  # no path of this machine
