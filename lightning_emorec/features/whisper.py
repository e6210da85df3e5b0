"""Transcripts by Whisper (Radford et al. 2022, arXiv:2212.04356), through OpenAI's own package."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import islice
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_emorec.audio import AudioStore, sounds_of
from lightning_emorec.errors import EmorecError
from lightning_emorec.features.feature import Options, Value
from lightning_emorec.features.repetitions import drop_loops
from lightning_emorec.features.transcript import Transcript
from lightning_emorec.features.whisper_decoding import decode_greedily
from lightning_emorec.features.whisper_weights import WhisperWeights
from lightning_emorec.types import Clip

if TYPE_CHECKING:
    from whisper import DecodingResult, Whisper

log = logging.getLogger(__name__)

_RATE_HZ = 16000
_HOP = 160  # samples a mel frame
_WINDOW_S = 30.0  # what Whisper was trained on
_MARGIN_S = 1.0  # silence after a clip's end that a shorter context keeps at least
_SHORTEST_S = 0.1
_SILENT_PEAK = 1e-4  # -80 dB of full scale: below the noise of any recording of speech
_NO_SPEECH = 0.6  # Whisper's own thresholds for taking a window as silence
_UNSURE_LOGPROB = -1.0
_CLEANING = 1  # to be raised when the text is cut or dropped in another way


class WhisperTranscript(Transcript):
    """The transcript of a clip by Whisper.

    Each window of 30 s is decoded greedily and by itself, in float32 on every device, so that the text does
    not depend on the machine. Text is dropped where Whisper takes the window for silence (`no_speech_prob`
    above 0.6 and `avg_logprob` below -1), and repeat loops are cut to one (see `drop_loops`). Clips that are
    shorter than 0.1 s or silent have an empty text, because Whisper makes one up.

    A value is a dict of `text`, `no_speech_prob` and `avg_logprob` (means over windows), `compression_ratio`
    (the largest) and `loops` (the number of loops cut).

    Args:
        model: Name of a model or path of a checkpoint; None means `$EMOREC_WHISPER`, else tiny.en.
        batch_clips: Windows decoded at once.
        language: What is spoken, as Whisper abbreviates it; a model such as tiny.en knows only en.
        context_s: Pad clips that are at least a second shorter than this to it, and not to 30 s. Several
            times faster, but Whisper was not trained so: words change, and it falls into loops where the
            context is close to the clip's length.
    """

    def __init__(
        self,
        model: str | None = None,
        batch_clips: int = 16,
        language: str = "en",
        context_s: float | None = None,
    ) -> None:
        if batch_clips < 1:
            raise EmorecError("batch_clips of at least 1", f"{batch_clips}", "correct batch_clips")
        if context_s is not None and not _MARGIN_S < context_s <= _WINDOW_S:
            raise EmorecError(
                f"context_s in ({_MARGIN_S:g}, {_WINDOW_S:g}]", f"{context_s}", "correct context_s"
            )
        self.weights = WhisperWeights(model)
        self.batch_clips = batch_clips
        self.language = language
        self.context_s = context_s or _WINDOW_S

    def options(self) -> Options:
        """Weights, decoding and cleaning."""
        return {
            "source": "whisper",
            "weights": self.weights.identity,
            "language": self.language,
            "temperature": 0.0,
            "without_timestamps": True,
            "condition_on_previous_text": False,
            "fp16": False,
            "context_s": self.context_s,
            "cleaning": _CLEANING,
        }

    def check_available(self) -> None:
        """Raise unless the weights are here or within reach, and the model knows the language."""
        from whisper.tokenizer import LANGUAGES

        if self.language not in LANGUAGES:
            raise EmorecError(
                "a language that Whisper knows, such as en", self.language, "set model.init_args.language"
            )
        if self.language != "en" and self.weights.is_english_only():
            raise EmorecError(
                f"a multilingual Whisper, such as tiny or base, for language: {self.language}",
                f"{self.weights.model}, which knows only English",
                "set model.init_args.whisper or $EMOREC_WHISPER to another model, or model.init_args.language to en",
            )
        self.weights.check_available()

    def compute(self, clips: Sequence[Clip], audio: AudioStore) -> Iterator[Value]:
        """Yield the transcripts of `batch_clips` clips at a time."""
        paths = sounds_of(clips)
        store = audio.at(_RATE_HZ)
        model = self.weights.load()
        loops = 0
        todo = iter(paths)
        while batch := list(islice(todo, self.batch_clips)):
            windows = [_windows(store.load(path)) for path in batch]
            decoded = iter(self._decode(model, [window for clip in windows for window in clip]))
            for clip in windows:
                value = _summary(list(islice(decoded, len(clip))))
                loops += value["loops"]
                yield value
        if loops:
            log.warning("Whisper fell into %d repeat loops: each was cut to one repeat", loops)

    def _decode(self, model: Whisper, windows: Sequence[NDArray[np.float32]]) -> list[DecodingResult]:
        """Decode windows of any number, in order, those with the same context together."""
        frames = [self._frames(len(window)) for window in windows]
        decoded: dict[int, DecodingResult] = {}
        for size in sorted(set(frames)):
            alike = [index for index, of in enumerate(frames) if of == size]
            for start in range(0, len(alike), self.batch_clips):
                batch = alike[start : start + self.batch_clips]
                results = _decode_batch(model, [windows[index] for index in batch], size, self.language)
                decoded.update(zip(batch, results, strict=True))
        return [decoded[index] for index in range(len(windows))]

    def _frames(self, samples: int) -> int:
        """Mel frames that a window of so many samples is padded to: even, since the encoder halves them."""
        fits = samples <= (self.context_s - _MARGIN_S) * _RATE_HZ
        return 2 * round((self.context_s if fits else _WINDOW_S) * _RATE_HZ / _HOP / 2)


def _decode_batch(
    model: Whisper, windows: Sequence[NDArray[np.float32]], frames: int, language: str
) -> list[DecodingResult]:
    import whisper

    options = whisper.DecodingOptions(language=language, without_timestamps=True, temperature=0.0, fp16=False)
    padded = [torch.tensor(whisper.pad_or_trim(window, frames * _HOP)) for window in windows]  # (time,) each
    # One at a time: the spectrogram is clipped relative to the maximum of all that it is given.
    mels = [whisper.log_mel_spectrogram(window, model.dims.n_mels, device=model.device) for window in padded]
    with torch.inference_mode():
        return decode_greedily(model, torch.stack(mels), options)


def _windows(audio: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Cut (time,) into windows of 30 s and leave out those that are silent."""
    step = int(_WINDOW_S * _RATE_HZ)
    windows = [audio[start : start + step] for start in range(0, len(audio), step)]
    return [
        window
        for window in windows
        if len(window) >= _SHORTEST_S * _RATE_HZ and np.abs(window).max() >= _SILENT_PEAK
    ]


def _summary(decoded: Sequence[DecodingResult]) -> dict[str, Any]:
    if not decoded:
        return {"text": "", "no_speech_prob": 1.0, "avg_logprob": 0.0, "compression_ratio": 0.0, "loops": 0}
    texts = [
        window.text
        for window in decoded
        if not (window.no_speech_prob > _NO_SPEECH and window.avg_logprob < _UNSURE_LOGPROB)
    ]
    text, loops = drop_loops(" ".join(texts))
    return {
        "text": text,
        "no_speech_prob": fmean(window.no_speech_prob for window in decoded),
        "avg_logprob": fmean(window.avg_logprob for window in decoded),
        "compression_ratio": max(window.compression_ratio for window in decoded),
        "loops": loops,
    }
