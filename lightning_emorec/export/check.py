"""Comparison of an export with PyTorch's answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from lightning_emorec.audio import AudioStore, FileOrStretch
from lightning_emorec.branches import Branch
from lightning_emorec.corpora.manners import draw_manner, draw_voice
from lightning_emorec.corpora.naming import SEXES
from lightning_emorec.corpora.phones import STATEMENTS, segments
from lightning_emorec.corpora.voices import RATE_HZ, speak
from lightning_emorec.dataset import Sample, collate_with
from lightning_emorec.errors import EmorecError
from lightning_emorec.export.selection import Selection
from lightning_emorec.features import Feature, Value, WhisperStateStatistics, unique
from lightning_emorec.features.whisper_context import RATE_HZ as RATE_16K_HZ
from lightning_emorec.features.whisper_context import SHORTEST
from lightning_emorec.features.whisper_states import statistics_of
from lightning_emorec.recognition.onnx_model import OnnxModel
from lightning_emorec.types import UNLABELLED, Batch, Clip

Sound = NDArray[np.float32]
Rows = NDArray[np.float32]

TOLERANCE = 1e-4
"""Largest difference of a log-probability."""

EMOTIONS = ("angry", "sad", "happy")


@dataclass(frozen=True)
class Difference:
    """The largest difference of a log-probability of one output.

    Attributes:
        value: The difference.
        clip: Where: the clip, and whether it was alone or in a batch.
    """

    value: float
    clip: str


def check_clips(rate_hz: int) -> dict[str, Sound]:
    """The clips that are compared, all generated: name -> (time,) samples."""
    draw = np.random.default_rng(0)
    seconds = np.arange(2 * rate_hz) / rate_hz
    tone = 0.3 * np.sin(2 * np.pi * 440 * seconds)
    tone[: rate_hz // 2] *= 1e-4
    clips = {
        "silence": np.zeros(rate_hz),
        "one sample": np.full(1, 0.1),
        "0.1 s of noise": 0.1 * draw.standard_normal(rate_hz // 10),
        "quiet noise": 1e-4 * draw.standard_normal(3 * rate_hz + 11),
        "noise": 0.1 * draw.standard_normal(rate_hz * 5 // 4),
        "tone after silence": tone,
    }
    for number, emotion in enumerate(EMOTIONS):
        voice = draw_voice(SEXES[number % 2], draw)
        manner = draw_manner(voice, emotion, "strong", draw)
        spoken = speak(voice, segments(STATEMENTS[number].phones), manner, draw)
        clips[f"{emotion} voice"] = soxr.resample(spoken, RATE_HZ, rate_hz)
    return {name: sound.astype(np.float32) for name, sound in clips.items()}


class Sounds(AudioStore):
    """Clips in memory in the place of decoded files."""

    def __init__(self, sounds: Mapping[str, Sound], rate_hz: int) -> None:
        super().__init__(Path(), rate_hz)
        self.sounds = sounds

    def at(self, rate_hz: int) -> Sounds:
        """The same at another rate."""
        if rate_hz == self.rate_hz:
            return self
        made = {name: soxr.resample(sound, self.rate_hz, rate_hz) for name, sound in self.sounds.items()}
        return Sounds(made, rate_hz)

    def digests(self, sounds: Sequence[FileOrStretch]) -> list[str]:
        """Their names."""
        return [str(sound) for sound in sounds]

    def load(self, sound: FileOrStretch) -> Sound:
        """(time,) samples."""
        return self.sounds[str(sound)]


@torch.inference_mode()
def torch_answers(selection: Selection, sounds: Mapping[str, Sound]) -> dict[str, Rows]:
    """What PyTorch makes of clips, one at a time: output -> (clips, classes) log-probabilities."""
    clips = [Clip(name, "", Path(name)) for name in sounds]
    features = unique(feature for branch in selection.branches.values() for feature in branch.features)
    audio = Sounds(sounds, selection.front_end.rate_hz)
    values = {feature.key: _values(feature, clips, audio) for feature in features}
    collate, unlabelled = collate_with(features), dict.fromkeys(selection.tasks, UNLABELLED)
    found: dict[str, list[Rows]] = {}
    for row, clip in enumerate(clips):
        heard = selection.front_end(sounds[clip.id])
        batch = collate([Sample(clip, row, heard, unlabelled, {key: of[row] for key, of in values.items()})])
        for name, rows in _answer(selection, batch).items():
            found.setdefault(name, []).append(rows)
    return {name: np.concatenate(rows) for name, rows in found.items()}


def _values(feature: Feature, clips: Sequence[Clip], audio: Sounds) -> list[Value]:
    """What a feature is of each clip, before it is rounded to be kept."""
    if not isinstance(feature, WhisperStateStatistics):
        return list(feature.compute(clips, audio))
    model = feature.weights.load()
    heard = (audio.at(RATE_16K_HZ).load(Path(clip.id)) for clip in clips)
    padded = (np.pad(sound, (0, max(0, SHORTEST - len(sound)))) for sound in heard)
    return [statistics_of(feature._speech(model, sound))[None] for sound in padded]


def _answer(selection: Selection, batch: Batch) -> dict[str, Rows]:
    def judged(branch: Branch) -> dict[str, torch.Tensor]:
        return {task: logits.float().log_softmax(dim=1) for task, logits in branch(batch).items()}

    made = {name: judged(branch) for name, branch in selection.branches.items()}
    fused = next(iter(made.values()))
    if selection.rules is not None:
        stacked = {task: torch.stack([of[task] for of in made.values()]) for task in selection.tasks}
        fused = {task: rule(stacked[task]) for task, rule in selection.rules.items()}
    named = {f"{name}.{task}": rows for name, of in made.items() for task, rows in of.items()}
    return {name: rows.numpy() for name, rows in (fused | named).items()}


def differences(model: OnnxModel, selection: Selection, sounds: Mapping[str, Sound]) -> dict[str, Difference]:
    """Output -> largest difference between an export and PyTorch, each clip alone and all in one padded batch."""
    expected = torch_answers(selection, sounds)
    waveforms = list(sounds.values())
    alone = [model.log_probabilities([waveform]) for waveform in waveforms]
    found = {
        "alone": {name: np.concatenate([rows[name] for rows in alone]) for name in expected},
        "in a batch": model.log_probabilities(waveforms),
    }
    largest = {}
    for name, rows in expected.items():
        gaps = np.stack([np.abs(of[name] - rows).max(axis=1) for of in found.values()])  # (2, clips)
        gaps = np.where(np.isnan(gaps), np.inf, gaps)
        how, clip = np.unravel_index(int(gaps.argmax()), gaps.shape)
        largest[name] = Difference(float(gaps.max()), f"{list(sounds)[clip]}, {list(found)[how]}")
    return largest


def require_equal(found: Mapping[str, Difference]) -> None:
    """Refuse an export that differs from PyTorch.

    Raises:
        EmorecError: An output differs by more than the tolerance.
    """
    name, worst = max(found.items(), key=lambda item: item[1].value)
    if not worst.value <= TOLERANCE:
        expected = f"log-probabilities within {TOLERANCE:g} of PyTorch's"
        said = f"a difference of {worst.value:.2g} of {name} on the clip '{worst.clip}'"
        raise EmorecError(expected, said, "report it, or give --check false to write the export all the same")
