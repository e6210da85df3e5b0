"""A trained model as `fit` left it, computed by PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
import soxr
import torch
import yaml
from lightning.fabric.utilities import move_data_to_device
from numpy.typing import NDArray
from torch import Tensor

from lightning_emorec.audio import AudioStore, FileOrStretch
from lightning_emorec.branches import Branch
from lightning_emorec.confidence import Confidence
from lightning_emorec.dataset import Sample, collate_with
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Feature, Transcript, VaderScores, Value, unique
from lightning_emorec.hashing import sha256
from lightning_emorec.inference import TrainedModel, load_model
from lightning_emorec.recognition.model import Answer, RecognitionModel, Waveform
from lightning_emorec.recognition.unadapted import Unadapted
from lightning_emorec.runs.folder import begun_by
from lightning_emorec.types import UNLABELLED, Batch, Clip, Logits
from lightning_emorec.validated import adaptation_of, confidence_of, restricted_model

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
        config = yaml.safe_load(trained.config) or {}
        folder = trained.checkpoint.resolve().parent.parent
        self.device = _device(device)
        self.name = str(config.get("name") or folder.name)
        self.version = begun_by(folder)
        self.digest = sha256(trained.checkpoint)
        self.rate_hz = trained.front_end.rate_hz
        self.channel = trained.front_end.channel
        self.branches = list(trained.branches) if trained.fusion else []
        self.tasks = trained.tasks
        self.synthetic = ".Synthetic'" in str(config.get("data", {}).get("corpus"))  # alone, or among others
        self.embeds = any(map(_embeds, trained.branches.values()))
        self._trained = trained
        sources = [feature for branch in trained.branches.values() for feature in branch.features]
        self._texts = [feature for feature in sources if _is_text(feature)]
        self.reads_text = bool(self._texts) and read_text
        self.transcribes = self.reads_text and any(feature.from_audio for feature in self._texts)
        self.confidence = self._part(self.reads_text).confidence
        self.adapts = self._part(self.reads_text).adaptation is not None

    @cache  # noqa: B019 - a model lives as long as its process
    def _part(self, with_text: bool) -> _Part:
        """The model, or what is left of it without the branches that read text."""
        if with_text or not self._texts:
            return _Part(self._trained, self.device)
        deaf = [
            name for name, branch in self._trained.branches.items() if not any(map(_is_text, branch.features))
        ]
        if not deaf:
            found = f"{self.name}, all branches of which read text"
            fix = "give a text (--text, or a column of --list), or leave out --no_text"
            raise EmorecError("a model that can do without text", found, fix)
        return _Part(restricted_model(self._trained, deaf), self.device)

    def transcribe(self, waveforms: Sequence[Waveform]) -> list[str]:
        """What the first recogniser among the text branches reads of each waveform."""
        source = next(feature for feature in self._texts if feature.from_audio)
        audio = _Waveforms(waveforms, self.rate_hz, [""] * len(waveforms))
        return [cast("dict[str, str]", value)["text"] for value in source.compute(audio.clips, audio)]

    def judge(
        self,
        waveforms: Sequence[Waveform],
        texts: Sequence[str] | None = None,
        embeddings: bool = False,
        contents: Sequence[str] | None = None,
    ) -> Answer:
        """Judge waveforms, as `RecognitionModel.judge` says.

        Raises:
            EmorecError: A feature cannot be computed here, or all branches read text and none is given.
        """
        given = texts if self.reads_text else None
        audio = _Waveforms(waveforms, self.rate_hz, contents or [""] * len(waveforms))
        return self._part(given is not None).judge(audio, given, embeddings)


class _Part:
    """A trained model with what it needs to judge."""

    def __init__(self, trained: TrainedModel, device: torch.device) -> None:
        self.trained = trained
        self.device = device
        found = {task: confidence_of(trained, task) for task in trained.tasks}
        self.confidence = {task: known for task, known in found.items() if known is not None}
        self.adaptation = adaptation_of(trained)
        trained.model.to(device).eval()
        self._features = unique(
            feature for branch in trained.branches.values() for feature in branch.features
        )
        self._collate = collate_with(self._features)

    @torch.inference_mode()
    def judge(self, audio: _Waveforms, texts: Sequence[str] | None, embeddings: bool) -> Answer:
        """As `TorchModel.judge`."""
        values = {
            feature.key: [{"text": text} for text in texts]
            if texts is not None and _is_text(feature)
            else list(feature.compute(audio.clips, audio))
            for feature in self._features
        }
        clips, size = range(len(audio.waveforms)), self.trained.batch_size
        batches = [self._batch(audio, clips[start : start + size], values) for start in clips[::size]]
        parts = [self._judge_batch(batch, embeddings) for batch in batches]
        return _joined(parts, self.confidence, [None] * len(clips) if texts is None else list(texts))

    def _batch(self, audio: _Waveforms, rows: Sequence[int], values: Mapping[str, Sequence[Value]]) -> Batch:
        unlabelled = dict.fromkeys(self.trained.tasks, UNLABELLED)
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
        branches, fusion = self.trained.branches, self.trained.fusion
        judged = {name: branch(batch) for name, branch in branches.items()}
        fused = (
            next(iter(judged.values())) if fusion is None else fusion.fitted.fuse(judged, fusion.rule_name)
        )
        encoded = {
            name: _rows(branch.encode(**branch.inputs(batch)))
            for name, branch in branches.items()
            if embeddings and _embeds(branch)
        }
        told = {} if fusion is None else {name: _all_rows(logits) for name, logits in judged.items()}
        return Answer(_all_rows(fused), told, encoded, unadapted=self._unadapted(batch, judged, fused))

    def _unadapted(self, batch: Batch, judged: Mapping[str, Logits], fused: Logits) -> Unadapted | None:
        if self.adaptation is None:
            return None
        branches = self.trained.branches
        speakers = {name: branches[name].speaker_scores(batch, logits) for name, logits in judged.items()}
        classes = next(iter(self.trained.tasks.values()))
        return Unadapted.of(self.adaptation, judged, speakers, fused, classes)


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

    def digests(self, sounds: Sequence[FileOrStretch]) -> list[str]:
        """What the views of each waveform are drawn from."""
        return [self.contents[int(sound.name)] for sound in sounds]

    def load(self, sound: FileOrStretch) -> Waveform:
        """(time,) samples."""
        return self.waveforms[int(sound.name)]


def _device(asked: torch.device | str | None) -> torch.device:
    """The device that is asked for, or a GPU where there is one.

    Raises:
        EmorecError: There is no such device.
    """
    if asked is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.zeros(1, device=asked).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise EmorecError("a device that is here", f"{asked} ({reason})", "set --device cpu") from error


def _embeds(branch: Branch) -> bool:
    return type(branch).encode is not Branch.encode


def _is_text(feature: Feature) -> bool:
    return isinstance(feature, Transcript | VaderScores)


def _rows(values: Tensor) -> Rows:
    return values.float().cpu().numpy()


def _all_rows(logits: Logits) -> dict[str, Rows]:
    return {task: _rows(values) for task, values in logits.items()}


def _joined(parts: Sequence[Answer], confidence: Mapping[str, Confidence], texts: list[str | None]) -> Answer:
    def stacked(parts: Sequence[Mapping[str, Rows]]) -> dict[str, Rows]:
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    return Answer(
        stacked([part.logits for part in parts]),
        {name: stacked([part.branches[name] for part in parts]) for name in parts[0].branches},
        stacked([part.embeddings for part in parts]),
        confidence,
        texts,
        Unadapted.join(found)
        if (found := [of for part in parts if (of := part.unadapted) is not None])
        else None,
    )
