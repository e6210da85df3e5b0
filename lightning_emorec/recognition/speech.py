"""Where somebody speaks: Silero's voice activity detection over a stream of any length.

Silero's own `get_speech_timestamps` needs the whole signal. Here its rules go over the stream frame by frame, so the
memory does not grow with the recording, and spans come as soon as they are over.
"""

from __future__ import annotations

import importlib
import importlib.util
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.errors import EmorecError, UnavailableError

RATE_HZ = 16_000
"""Of everything that is given to the detector; all positions here are in samples at this rate."""

Samples = NDArray[np.float32]

ONNX_FILE = "silero_vad_16k_sequence.onnx"
"""Silero's network for onnxruntime, in the wheel and in the folder of an export."""

_FRAME, _CONTEXT = 512, 64  # samples: what the network judges, and what it sees of the frame before
GROUP = 16 * _FRAME
"""Samples of the frames that the network is given in one call: always as many, for the same sums in the same order."""

# The defaults of `get_speech_timestamps` in silero-vad 6.2, in samples.
_ENTER, _LEAVE = 0.5, 0.35
_SHORTEST_SPEECH, _SHORTEST_SILENCE, _PAD = 4000, 1600, 480

_FIX = "run: pip install silero-vad"
_EXPORT = "export the model again"


class Span(NamedTuple):
    """Speech from `start` to before `end`, in samples at 16 kHz."""

    start: int
    end: int

    @property
    def seconds(self) -> tuple[float, float]:
        """Begin and end in s."""
        return self.start / RATE_HZ, self.end / RATE_HZ


class SpeechModel(ABC):
    """Silero's network; it keeps no state of its own, so several streams may share it."""

    @abstractmethod
    def judge(self, frames: Samples, state: Any) -> tuple[NDArray[np.float32], Any]:
        """How probable speech is in frames that follow each other.

        Args:
            frames: (frames, 576): 64 samples of the frame before, then the 512 of this.
            state: That was returned for the frames before; None at the begin.

        Returns:
            (frames,) probabilities, and the state for the frames after.
        """


class OnnxSpeech(SpeechModel):
    """The network in onnxruntime, many frames a call.

    Args:
        path: `silero_vad_16k_sequence.onnx` of the wheel, or a copy.

    Raises:
        EmorecError: It is another network, as is `silero_vad.onnx`, which takes a frame a call.
    """

    def __init__(self, path: Path) -> None:
        onnxruntime = importlib.import_module("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        if (inputs := {part.name for part in session.get_inputs()}) != {"input", "h", "c"}:
            found = f"{path} with the inputs {', '.join(sorted(inputs))}"
            raise EmorecError(
                "a copy of silero_vad_16k_sequence.onnx, with the inputs input, h, c", found, _EXPORT
            )
        self._run = session.run

    def judge(self, frames: Samples, state: Any) -> tuple[NDArray[np.float32], Any]:
        """As the base class says."""
        hidden, cell = (np.zeros((1, 1, 128), np.float32),) * 2 if state is None else state
        names = ["speech_probs", "hn", "cn"]
        probabilities, *state = self._run(names, {"input": frames, "h": hidden, "c": cell})
        return probabilities, state


class TorchSpeech(SpeechModel):
    """The network in PyTorch, frame by frame.

    Args:
        path: `silero_vad.jit` of the wheel, or a copy.
    """

    def __init__(self, path: Path) -> None:
        self._torch: Any = importlib.import_module("torch")
        self._network = self._torch.jit.load(str(path), map_location="cpu")._model.eval()

    def judge(self, frames: Samples, state: Any) -> tuple[NDArray[np.float32], Any]:
        """As the base class says."""
        state = self._torch.zeros(0) if state is None else state
        probabilities = np.empty(len(frames), np.float32)
        with self._torch.inference_mode():
            for index, frame in enumerate(self._torch.from_numpy(frames).split(1)):
                found, state = self._network(frame, state)
                probabilities[index] = found.item()
        return probabilities, state


def speech_weights(onnx: bool) -> Path:
    """The file of the wheel with the network for `OnnxSpeech` (1.2 MB) or `TorchSpeech` (2.3 MB), to load or copy.

    The wheel is not imported: that would import torch, and set it to one thread.

    Raises:
        UnavailableError: silero-vad is not installed, or a release without the file.
    """
    spec = importlib.util.find_spec("silero_vad")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise UnavailableError("silero-vad, which finds speech", "no such package", _FIX)
    path = Path(folders[0]) / "data" / (ONNX_FILE if onnx else "silero_vad.jit")
    if not path.is_file():
        raise UnavailableError("a release of silero-vad from 6.2.3 on", f"one without {path.name}", _FIX)
    return path


def load_speech_model(path: Path | None = None) -> SpeechModel:
    """Silero's network, in onnxruntime if it can be imported, else in torch.

    Args:
        path: A copy of `speech_weights`: its suffix `.onnx` or `.jit` decides which of the two; None takes the wheel's.

    Raises:
        UnavailableError: silero-vad or what computes it is not installed.
        EmorecError: `path` is no such file.
    """
    has_onnx = importlib.util.find_spec("onnxruntime") is not None
    if path is None:
        path = speech_weights(onnx=has_onnx)
    kinds: dict[str, type[SpeechModel]] = {".onnx": OnnxSpeech, ".jit": TorchSpeech}
    if path.suffix not in kinds or not path.is_file():
        expected = "a copy of silero_vad_16k_sequence.onnx or silero_vad.jit of the package silero-vad"
        raise EmorecError(expected, str(path), _EXPORT)
    if path.suffix == ".onnx" and not has_onnx:
        raise UnavailableError("onnxruntime, which finds speech", "no such package", _FIX)
    return kinds[path.suffix](path)  # type: ignore[call-arg]


class Groups:
    """Cuts a stream into arrays of `GROUP` samples, whatever the size of the blocks in which it comes."""

    def __init__(self) -> None:
        self._parts: list[Samples] = []
        self._size = 0

    def add(self, block: Samples) -> list[Samples]:
        """The arrays that are full with a block of (time,) samples."""
        self._parts.append(np.asarray(block, np.float32))
        self._size += len(block)
        if self._size < GROUP:
            return []
        whole = np.concatenate(self._parts)
        cut = len(whole) // GROUP * GROUP
        self._parts, self._size = [whole[cut:].copy()], len(whole) - cut
        return list(whole[:cut].reshape(-1, GROUP))

    def rest(self) -> Samples:
        """What is left, less than `GROUP` samples."""
        return np.concatenate([np.empty(0, np.float32), *self._parts])


class SpeechDetector:
    """Finds spans of speech in one channel; the same spans whatever the size of the blocks.

    A span begins with a frame of probability 0.5 or more and ends where it stays below 0.35 for 100 ms; it counts if
    it is longer than 250 ms, and is widened by 30 ms on each side. Other than in `get_speech_timestamps` spans need
    not be moved apart, for 100 ms of silence hold two such margins.

    Args:
        model: Shared by the detectors of a process.

    Attributes:
        running: The part of a span that is not over of which it is certain already that it is speech.
        settled: No span to come, other than that of `running`, begins before this sample.
    """

    def __init__(self, model: SpeechModel) -> None:
        self.running: Span | None = None
        self.settled = 0
        self._model = model
        self._groups = Groups()
        self._state: Any = None
        self._context = np.zeros(_CONTEXT, np.float32)
        self._position = 0  # samples that the network has judged
        self._start: int | None = None
        self._silent_from: int | None = None

    def feed(self, block: Samples) -> list[Span]:
        """Spans that are over, in order of time; up to half a second of the stream waits for the next call.

        Args:
            block: (time,) samples in [-1, 1] at 16 kHz, any number.
        """
        return [span for group in self._groups.add(block) for span in self._spans_in(group)]

    def close(self) -> list[Span]:
        """The last spans, after the end of the stream; a frame that is not full is filled with silence."""
        rest = self._groups.rest()
        total = self._position + len(rest)
        spans = self._spans_in(np.pad(rest, (0, -len(rest) % _FRAME))) if len(rest) else []
        if self._start is not None and total - self._start > _SHORTEST_SPEECH:
            spans.append(Span(max(0, self._start - _PAD), total))
        self.running, self.settled, self._start = None, total, None
        return [Span(start, min(end, total)) for start, end in spans]

    def _spans_in(self, samples: Samples) -> list[Span]:
        # One sample that is not finite would spoil the state for the rest of the stream.
        frames = np.nan_to_num(samples, posinf=1.0, neginf=-1.0).reshape(-1, _FRAME)
        before = np.vstack([self._context, frames[:-1, -_CONTEXT:]])
        self._context = frames[-1, -_CONTEXT:].copy()
        found, self._state = self._model.judge(np.hstack([before, frames]), self._state)
        spans = [span for probability in found.tolist() if (span := self._step(probability))]
        self._look_ahead()
        return spans

    def _step(self, probability: float) -> Span | None:
        """Take in the next frame; the span that ends with it."""
        here = self._position
        self._position += _FRAME
        if probability >= _ENTER:
            self._silent_from = None
            self._start = here if self._start is None else self._start
        elif probability < _LEAVE and self._start is not None:
            self._silent_from = here if self._silent_from is None else self._silent_from
            if here - self._silent_from >= _SHORTEST_SILENCE:
                start, end = self._start, self._silent_from
                self._start = self._silent_from = None
                return Span(max(0, start - _PAD), end + _PAD) if end - start > _SHORTEST_SPEECH else None
        return None

    def _look_ahead(self) -> None:
        """Set `running` and `settled` to what the frames so far imply."""
        start = max(0, (self._position if self._start is None else self._start) - _PAD)
        silent = self._position if self._silent_from is None else self._silent_from
        end = min(silent + _PAD, self._position)
        certain = self._start is not None and silent - self._start > _SHORTEST_SPEECH
        self.running = Span(start, end) if certain else None
        self.settled = end if certain else start
