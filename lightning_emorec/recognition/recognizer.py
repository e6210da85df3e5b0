"""Emotion in recordings of any length, by a trained model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soxr
from numpy.typing import NDArray

from lightning_emorec import __version__
from lightning_emorec.audio import Recording as AudioRecording
from lightning_emorec.audio import as_stored, decode, mono_blocks, open_recording
from lightning_emorec.audio.decode import SILENCE_PEAK
from lightning_emorec.errors import EmorecError
from lightning_emorec.hashing import short_hash
from lightning_emorec.recognition.embeddings import Embeddings
from lightning_emorec.recognition.find_model import find_model, open_model
from lightning_emorec.recognition.judgement import Judgement, judgements, told
from lightning_emorec.recognition.model import RecognitionModel, Waveform
from lightning_emorec.recognition.options import Options
from lightning_emorec.recognition.said import PIECE_S, Said
from lightning_emorec.recognition.segment import NO_SPEECH, Segment
from lightning_emorec.recognition.sources import Source, as_file, content_of, cut, duration_of
from lightning_emorec.recognition.speech import RATE_HZ, SpeechModel, load_speech_model
from lightning_emorec.recognition.windows import (
    Piece,
    SpeechEnd,
    Stretch,
    Stretches,
    Window,
    Windower,
    WindowPlan,
)

UNCALIBRATED = "the score is not calibrated: the model has no validation clips"
LONGEST_KEPT_S = 2 * 3600
"""Recordings up to this length are kept in memory while stretches of them are judged: 64 kB a second."""

SYNTHETIC = "the model was trained on synthetic voices and knows no real ones"


class Recognizer:
    """Labels recordings with a trained model.

        >>> recognizer = Recognizer.load("runs/fused")
        >>> for segment in recognizer.segments("call.wav"):
        ...     print(segment.start, segment.end, segment.label, segment.score)

    Args:
        model: What judges.
        options: How.
    """

    def __init__(self, model: RecognitionModel, options: Options | None = None) -> None:
        self.model = model
        self.options = options or Options()
        self.task, *others = model.tasks
        if unknown := sorted(set(self.options.tasks) - set(others)):
            expected = f"tasks among {', '.join(others)}" if others else "no --task: the model has one"
            raise EmorecError(expected, ", ".join(unknown), "set --task")

    @classmethod
    def load(
        cls,
        ckpt: str | Path | None = None,
        options: Options | None = None,
        *,
        runs: str | Path = "runs",
        text: bool = True,
        device: str | None = None,
        threads: int | None = None,
        offline: bool = False,
    ) -> Recognizer:
        """Load a model.

        Args:
            ckpt: A run's name or folder, a checkpoint, the folder of an export, or `hf:USER/REPO[@REVISION]`; None
                means the newest finished run.
            options: How to judge.
            runs: Folder of all runs.
            text: False leaves out the branches that read text.
            device: Of a checkpoint; None means a GPU where there is one.
            threads: That the model computes with.
            offline: Take from the hub only what is here already.

        Raises:
            EmorecError: There is no such model, or it cannot be loaded.
        """
        named = None if ckpt is None else str(ckpt)
        return cls(open_model(find_model(named, Path(runs), offline), text, device, threads), options)

    @property
    def label(self) -> str:
        """Name of the model, with the begin of the digest of its weights."""
        return f"{self.model.name}@{self.model.digest[:8]}"

    @property
    def digest(self) -> str:
        """Of this version, the model and the options: with that of a recording, it settles a result."""
        return short_hash([__version__, self.model.digest, self.model.reads_text, asdict(self.options)])

    @property
    def notes(self) -> list[str]:
        """What a reader of any result must know."""
        confidence = self.model.confidence.get(self.task)
        notes = [SYNTHETIC] if self.model.synthetic else []
        if confidence is None:
            notes.append(UNCALIBRATED)
        elif confidence.is_nominal(self.options.coverage):
            notes.append(f"coverage {self.options.coverage:g} is nominal; {confidence.actors} actors")
        return notes

    def predict(
        self,
        source: str | Path | BinaryIO | NDArray[np.floating],
        rate_hz: int | None = None,
        text: str | None = None,
    ) -> list[Segment]:
        """The segments of a recording: one, unless it is longer than `whole_s`.

        Args:
            source: A file's path, an open binary file, or (time,) or (time, channels) samples.
            rate_hz: Of samples.
            text: What is said, where it is known; else it is transcribed if the model reads text.

        Raises:
            EmorecError: The recording cannot be read.
        """
        return list(self.segments(source, rate_hz, text))

    def segments(
        self,
        source: str | Path | BinaryIO | NDArray[np.floating],
        rate_hz: int | None = None,
        text: str | None = None,
    ) -> Iterator[Segment]:
        """As `predict`, each segment as soon as it is known."""
        if isinstance(source, str | Path):
            yield from self.judge(Source(str(source), Path(source), text=text))
        else:
            yield from self.judge(Source("", source, rate_hz, text=text))

    def judge(self, source: Source, embeddings: Embeddings | None = None) -> Iterator[Segment]:
        """Label a recording, or a stretch of it.

        Args:
            source: The recording.
            embeddings: Takes those of each segment.

        Raises:
            EmorecError: The recording cannot be read.
        """
        if isinstance(source.audio, np.ndarray):
            source = replace(source, audio=as_file(source.audio, source.rate_hz))
        if self.options.channel != "each":
            with _opened(source, self.options.channel) as recording:
                yield from self._judge(source, recording, source.speaker, embeddings)
            return
        with _opened(source, None) as recording:
            channels = recording.channels
        for number in range(channels):
            with _opened(source, number) as recording:
                yield from self._judge(source, recording, f"channel {number}", embeddings)

    def _judge(
        self, source: Source, recording: AudioRecording, speaker: str, embeddings: Embeddings | None
    ) -> Iterator[Segment]:
        """Label one channel: whole, or in segments if it is long."""
        begun: list[Waveform] = []
        blocks = cut(_blocks(source, recording), source, RATE_HZ)
        for block in blocks:
            begun.append(block)
            if sum(map(len, begun)) > self.options.whole_s * RATE_HZ:
                yield from self._segments(source, speaker, chain(begun, blocks), embeddings)
                return
        if self.model.rate_hz != RATE_HZ:
            begun = list(cut(mono_blocks(recording, self.model.rate_hz), source, self.model.rate_hz))
        if not begun:
            found = f"none of {source.name} between {source.start or 0:g} s and {source.end} s"
            raise EmorecError("samples to judge", found, "correct start and end")
        waveform = as_stored(np.concatenate(begun))
        end = len(waveform) / self.model.rate_hz
        if np.abs(waveform).max() <= SILENCE_PEAK:
            yield self._segment(source, (0.0, end), speaker, None, None, embeddings)
            return
        text = source.text
        if text is None and self.model.transcribes:
            (text,) = self.model.transcribe([waveform])
        content = content_of(source)
        (judged,) = judgements(self.model, self.options, [waveform], [text], content, embeddings is not None)
        yield self._segment(source, (0.0, end), speaker, judged, text, embeddings)

    def _segments(
        self, source: Source, speaker: str, blocks: Iterable[Waveform], embeddings: Embeddings | None
    ) -> Iterator[Segment]:
        """Label a long channel over its speech, each segment as soon as it is known."""
        options, content = self.options, content_of(source)
        transcribes = self.model.transcribes and source.text is None
        plan = WindowPlan(options.window_s, options.step_s, options.min_s, PIECE_S if transcribes else None)
        windower, stretches, said = Windower(plan, self._speech), Stretches(plan), Said(source.text)
        last: Judgement | None = None

        def made(found: Iterable[Stretch]) -> Iterator[Segment]:
            for of in found:
                judged = last.with_vector(of.probabilities) if last and of.probabilities is not None else None
                text = said.between(of.start, of.end) if judged else None
                yield self._segment(source, (of.start, of.end), speaker, judged, text, embeddings)

        for block in chain(blocks, [None]):
            events = windower.close() if block is None else windower.feed(block)
            pieces = [event for event in events if isinstance(event, Piece)]
            if pieces:
                said.add(pieces, self.model.transcribe([self._at_rate(piece.samples) for piece in pieces]))
            windows = [event for event in events if isinstance(event, Window)]
            texts = [said.between(window.start, window.end) for window in windows]
            samples = [self._at_rate(window.samples) for window in windows]
            wanted = embeddings is not None
            answers = iter(
                judgements(self.model, options, samples, texts, content, wanted) if windows else []
            )
            for event in events:
                if isinstance(event, Window):
                    last = next(answers)
                    yield from made(stretches.add(event, last.vector))
                elif isinstance(event, SpeechEnd):
                    yield from made(stretches.end_speech(event))
        yield from made(stretches.close(windower.duration))

    @cached_property
    def _speech(self) -> SpeechModel:
        return load_speech_model(self.model.speech_weights)

    def _at_rate(self, samples: Waveform) -> Waveform:
        """Samples at 16 kHz at the rate of the model."""
        if self.model.rate_hz == RATE_HZ:
            return samples
        return np.asarray(soxr.resample(samples, RATE_HZ, self.model.rate_hz), np.float32)

    def _segment(
        self,
        source: Source,
        span: tuple[float, float],
        speaker: str,
        judged: Judgement | None,
        text: str | None,
        embeddings: Embeddings | None,
    ) -> Segment:
        """The segment of a span in s, from the begin of what is judged; None means no speech."""
        start, end = ((source.start or 0.0) + at for at in span)
        about = Segment(source.name, start, end, NO_SPEECH, speaker=speaker, text=text, notes=self.notes)
        about = replace(about, model=self.label, version=self.model.version)
        if judged is None:
            return about
        if embeddings is not None:
            embeddings.add(about, judged.embeddings())
        return told(about, judged, self.model.tasks, self.options)


@contextmanager
def _opened(source: Source, channel: int | None) -> Iterator[AudioRecording]:
    """A source's recording, from its start; a file in memory may be opened several times."""
    assert not isinstance(source.audio, np.ndarray)
    start = 0 if isinstance(source.audio, Path) or not source.audio.seekable() else source.audio.tell()
    with open_recording(source.audio, channel, source.name or None) as recording:
        yield recording
    if not isinstance(source.audio, Path) and source.audio.seekable():
        source.audio.seek(start)


def _blocks(source: Source, recording: AudioRecording) -> Iterator[Waveform]:
    """(time,) blocks at 16 kHz. Many stretches of one file are cut from one decoding of it."""
    path = source.audio
    if (source.start is None and source.end is None) or not isinstance(path, Path):
        return mono_blocks(recording, RATE_HZ)
    length = duration_of(Source(source.name, path))
    if length is None or length > LONGEST_KEPT_S:
        return mono_blocks(recording, RATE_HZ)
    return iter([_decoded(path, path.stat().st_mtime_ns, recording.channel)])


@lru_cache(maxsize=1)
def _decoded(path: Path, mtime_ns: int, channel: int | None) -> Waveform:  # noqa: ARG001 - the time is part of the key
    return decode(path, RATE_HZ, channel)
