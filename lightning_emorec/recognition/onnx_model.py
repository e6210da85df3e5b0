"""A trained model as `export` wrote it, computed by ONNX Runtime: neither torch nor Lightning is imported."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.confidence import Confidence
from lightning_emorec.errors import EmorecError, UnavailableError
from lightning_emorec.recognition.model import Answer, RecognitionModel, Waveform
from lightning_emorec.recognition.speech import ONNX_FILE

MODEL = "model.onnx"

AT_ONCE = 16
"""Waveforms that are computed in one call."""


class OnnxModel(RecognitionModel):
    """An exported model.

    Args:
        folder: That `export` wrote, or its `model.onnx`.
        threads: That it computes with; None leaves it to ONNX Runtime.

    Attributes:
        longest_s: Of a waveform, only so many seconds from its beginning are judged.
        info: The metadata of the file.

    Raises:
        EmorecError: The file is missing, or not one that `export` wrote.
        UnavailableError: ONNX Runtime is not installed.
    """

    reads_text = transcribes = embeds = False

    def __init__(self, folder: str | Path, threads: int | None = None) -> None:
        file = Path(folder) if Path(folder).suffix == ".onnx" else Path(folder) / MODEL
        if not file.is_file():
            raise EmorecError(
                "the folder of an export", f"no file {file}", "make it with `export RUN FOLDER`"
            )
        try:
            onnxruntime = importlib.import_module("onnxruntime")
        except ImportError as error:
            fix = "pip install 'lightning-emorec[onnx]'"
            raise UnavailableError("the package onnxruntime", str(error), fix) from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # it warns of what it cannot fold
        if threads is not None:
            options.intra_op_num_threads = options.inter_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
            self.info: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
            self._describe(file)
        except (
            Exception
        ) as error:  # ONNX Runtime has a class of its own for each way in which a file is no model
            found = f"{file}: {type(error).__name__} {' '.join(str(error).split())[:150]}"
            raise EmorecError("a model that `export` wrote", found, "export it again") from error

    def _describe(self, file: Path) -> None:
        self.name = self.info["name"]
        self.version = self.info["version"]
        with file.open("rb") as content:
            self.digest = hashlib.file_digest(content, "sha256").hexdigest()
        self.rate_hz = int(self.info["rate_hz"])
        self.channel = json.loads(self.info.get("front_end", "{}")).get("channel")
        self.longest_s = int(self.info["longest_s"])
        self.tasks: dict[str, list[str]] = json.loads(self.info["labels"])
        self.branches: list[str] = json.loads(self.info["branches"])
        known = json.loads(self.info["confidence"])
        self.confidence = {task: Confidence.from_dict(given) for task, given in known.items()}
        self.synthetic = bool(json.loads(self.info["synthetic"]))
        speech = file.with_name(ONNX_FILE)
        self.speech_weights = speech if speech.is_file() else None
        self._outputs = [output.name for output in self._session.get_outputs()]

    def transcribe(self, waveforms: Sequence[Waveform]) -> list[str]:
        """Nothing: an export reads no text."""
        return [""] * len(waveforms)

    def judge(
        self,
        waveforms: Sequence[Waveform],
        texts: Sequence[str] | None = None,
        embeddings: bool = False,
        contents: Sequence[str] | None = None,
    ) -> Answer:
        """Judge waveforms of at least one sample each.

        Args:
            waveforms: (time,) each, at `rate_hz`; the first `longest_s` of each are judged.
            texts: Not read.
            embeddings: An export has none.
            contents: Not used: a clip is judged as it is.

        Returns:
            Log-probabilities of the model and of its branches.
        """
        logits = self.log_probabilities(waveforms)
        branches = {
            name: {task: logits[f"{name}.{task}"] for task in self.tasks} for name in self.branches if logits
        }
        fused = {task: logits[task] for task in self.tasks if logits}
        return Answer(fused, branches, confidence=self.confidence, texts=[None] * len(waveforms))

    def log_probabilities(self, waveforms: Sequence[Waveform]) -> dict[str, NDArray[np.float32]]:
        """Output of the graph -> (waveforms, classes); nothing for no waveforms."""
        # 8 bits are scaled by the largest value of a call, which must not be another clip's.
        at_once = 1 if self.info["precision"] == "int8" else AT_ONCE
        order = sorted(range(len(waveforms)), key=lambda row: len(waveforms[row]))  # for less padding
        found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in self._outputs}
        for start in range(0, len(order), at_once):
            for name, rows in self._run([waveforms[row] for row in order[start : start + at_once]]).items():
                found[name].append(rows)
        place = np.argsort(order)
        return {name: np.concatenate(rows)[place] for name, rows in found.items() if rows}

    def _run(self, waveforms: Sequence[Waveform]) -> dict[str, NDArray[np.float32]]:
        cut = [waveform[: self.longest_s * self.rate_hz] for waveform in waveforms]
        lengths = np.array([len(waveform) for waveform in cut], dtype=np.int64)
        samples = max(int(lengths.max()), self.rate_hz // 10)  # the least that the graph takes
        padded = np.zeros((len(cut), samples), dtype=np.float32)
        for row, waveform in zip(padded, cut, strict=True):
            row[: len(waveform)] = waveform
        made = self._session.run(None, {"waveform": padded, "length": lengths})
        return dict(zip(self._outputs, made, strict=True))
