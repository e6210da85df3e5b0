"""A trained model as `fit` left it, computed by PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import soxr
import torch
import yaml
from lightning.fabric.utilities import move_data_to_device
from numpy.typing import NDArray
from torch import Tensor

from lightning_emorec.audio import AudioStore
from lightning_emorec.branches import Branch
from lightning_emorec.dataset import Sample, collate_with
from lightning_emorec.features import Feature, Transcript, Value, VaderScores, unique
from lightning_emorec.fusion import FusionModule
from lightning_emorec.hashing import sha256
from lightning_emorec.inference import TrainedModel, confidence_of, load_model, restricted_model
from lightning_emorec.recognition.model import Answer, RecognitionModel, Waveform
from lightning_emorec.runs.folder import begun_by
from lightning_emorec.types import UNLABELLED, Batch, Clip, Logits

Rows = NDArray[np.float32]


class TorchModel(RecognitionModel):
    """A trained model with its features, on one device.

    Args:
        checkpoint: As `load_model`.
        read_text: False leaves out the branches that read text; the fusion is solved without them.
        device: None means a GPU where there is one.

    Raises:
        EmorecError: As `load_model`; or no branch is left without text.
    """

    def __init__(
        self, checkpoint: str | Path, read_text: bool = True, device: torch.device | str | None = None
    ) -> None:
        trained = load_model(checkpoint)
        readers = [name for name, branch in trained.branches.items() if any(map(_is_text, branch.features))]
        if readers and not read_text:
            trained = restricted_model(trained, [name for name in trained.branches if name not in readers])
        config = yaml.safe_load(trained.config) or {}
        folder = trained.checkpoint.resolve().parent.parent
        self.trained = trained
        self.name = str(config.get("name") or folder.name)
        self.version = begun_by(folder)
        self.digest = sha256(trained.checkpoint)
        self.rate_hz = trained.front_end.rate_hz
        self.branches = list(trained.branches) if trained.fusion else []
        self.tasks = trained.tasks
        found = {task: confidence_of(trained, task) for task in trained.tasks}
        self.confidence = {task: known for task, known in found.items() if known is not None}
        self.reads_text = bool(readers) and read_text
        self.synthetic = "Synthetic" in str(config.get("data", {}).get("corpus", {}).get("class_path", ""))
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        trained.model.to(self.device).eval()
        self._features = unique(feature for branch in trained.branches.values() for feature in branch.features)
        self._collate = collate_with(self._features)

    def transcribe(self, waveforms: Sequence[Waveform]) -> list[str]:
        """What the first text branch would read of each waveform; empty where it has no recogniser."""
        source = next(feature for feature in self._features if _is_text(feature))
        if not source.from_audio:
            return [""] * len(waveforms)
        audio = _Waveforms(waveforms, self.rate_hz, [""] * len(waveforms))
        values = source.compute(audio.clips, audio)
        return [cast("dict[str, str]", value)["text"] for value in values]

    @torch.inference_mode()
    def judge(
        self,
        waveforms: Sequence[Waveform],
        texts: Sequence[str] | None = None,
        embeddings: bool = False,
        contents: Sequence[str] | None = None,
    ) -> Answer:
        """Judge waveforms, as `RecognitionModel.judge` says.

        Raises:
            EmorecError: A feature cannot be computed here.
        """
        audio = _Waveforms(waveforms, self.rate_hz, contents or [""] * len(waveforms))
        values = {
            feature.key: self._values(feature, audio, texts if self.reads_text else None)
            for feature in self._features
        }
        parts = []
        for start in range(0, len(waveforms), self.trained.batch_size):
            rows = range(len(waveforms))[start : start + self.trained.batch_size]
            parts.append(self._judge_batch(self._batch(audio, rows, values), embeddings))
        return _joined(parts, list(texts) if texts is not None and self.reads_text else [None] * len(waveforms))

    def _values(self, feature: Feature, audio: _Waveforms, texts: Sequence[str] | None) -> list[Value]:
        if texts is not None and _is_text(feature):
            return [{"text": text} for text in texts]
        return list(feature.compute(audio.clips, audio))

    def _batch(self, audio: _Waveforms, rows: Sequence[int], values: Mapping[str, list[Value]]) -> Batch:
        unlabelled = dict.fromkeys(self.tasks, UNLABELLED)
        samples = [
            Sample(
                audio.clips[row],
                row,
                self.trained.front_end(audio.waveforms[row]),
                unlabelled,
                {key: of_clips[row] for key, of_clips in values.items()},
            )
            for row in rows
        ]
        return cast(Batch, move_data_to_device(self._collate(samples), self.device))

    def _judge_batch(self, batch: Batch, embeddings: bool) -> Answer:
        judged = {name: branch(batch) for name, branch in self.trained.branches.items()}
        fusion = self.trained.fusion
        fused = next(iter(judged.values())) if fusion is None else fusion.fitted.fuse(judged, fusion.rule_name)
        encoded = {
            name: _rows(branch.encode(**branch.inputs(batch)))
            for name, branch in self.trained.branches.items()
            if embeddings and type(branch).encode is not Branch.encode
        }
        of_branches = {} if fusion is None else {name: _all_rows(logits) for name, logits in judged.items()}
        return Answer(_all_rows(fused), of_branches, encoded)


@dataclass
class _Waveforms(AudioStore):
    """Waveforms in memory in the place of a store of decoded files; nothing is written."""

    waveforms: Sequence[Waveform]
    rate_hz: int
    contents: Sequence[str]

    def __post_init__(self) -> None:
        self.clips = [Clip(str(row), "", Path(str(row))) for row in range(len(self.waveforms))]

    def at(self, rate_hz: int) -> _Waveforms:
        """The same at another rate."""
        if rate_hz == self.rate_hz:
            return self
        resampled = [soxr.resample(waveform, self.rate_hz, rate_hz) for waveform in self.waveforms]
        return _Waveforms(resampled, rate_hz, self.contents)

    def digests(self, paths: Sequence[Path]) -> list[str]:
        """What the views of each waveform are drawn from."""
        return [self.contents[int(path.name)] for path in paths]

    def load(self, path: Path) -> Waveform:
        """(time,) samples."""
        return self.waveforms[int(path.name)]


def _is_text(feature: Feature) -> bool:
    return isinstance(feature, Transcript | VaderScores)


def _rows(values: Tensor) -> Rows:
    return values.float().cpu().numpy()


def _all_rows(logits: Logits) -> dict[str, Rows]:
    return {task: _rows(values) for task, values in logits.items()}


def _joined(parts: Sequence[Answer], texts: list[str | None]) -> Answer:
    def stacked(parts: Sequence[Mapping[str, Rows]]) -> dict[str, Rows]:
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    return Answer(
        stacked([part.logits for part in parts]),
        {name: stacked([part.branches[name] for part in parts]) for name in parts[0].branches},
        stacked([part.embeddings for part in parts]),
        texts,
    )
