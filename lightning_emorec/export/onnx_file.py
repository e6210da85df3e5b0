"""Writing a graph as an ONNX file, with what its use needs in its metadata."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import torch

from lightning_emorec.errors import UnavailableError
from lightning_emorec.export.graph import ModelGraph

LONGEST_S = 30
"""Length up to which clips are judged; a longer one is to be cut before."""

FIX = "pip install 'lightning-emorec[export]'"


def check_packages() -> None:
    """See whether what an export needs is installed.

    Raises:
        UnavailableError: It is not.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UnavailableError("onnx, onnxscript and onnxruntime", str(error), FIX) from error


def write_onnx(graph: ModelGraph, rate_hz: int, file: Path, metadata: Mapping[str, Any]) -> None:
    """Export with dynamic batch and samples.

    Args:
        graph: In evaluation mode, on the CPU.
        rate_hz: Of its waveforms.
        file: To write, weights included.
        metadata: Key -> text, or plain values that are written as JSON.
    """
    batch = torch.export.Dim("batch", min=1, max=1024)
    samples = torch.export.Dim("samples", min=rate_hz // 10, max=LONGEST_S * rate_hz)
    second = torch.zeros(2, rate_hz + 7)
    for noisy in ("torch.onnx", "torch.onnx._internal.exporter._registration"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph,
            (second, torch.tensor([rate_hz + 7, rate_hz])),
            dynamo=True,
            external_data=False,
            # onnxscript's optimiser takes an addend of 1e-8 for 0 and drops it: the floor of a log-mel spectrum.
            optimize=False,
            verbose=False,
            dynamic_shapes={"waveform": {0: batch, 1: samples}, "length": {0: batch}},
            input_names=["waveform", "length"],
            output_names=graph.outputs,
        )
    assert program is not None
    import onnx

    model = program.model_proto
    del model.metadata_props[:]
    onnx.helper.set_model_props(
        model,
        {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()},
    )
    for node in model.graph.node:
        del node.metadata_props[:]  # stack traces with paths of this machine
        node.doc_string = ""
    onnx.save_model(model, str(file))
