"""Emotion in recordings of any length, by a trained model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np
import soxr
from numpy.typing import NDArray

from lightning_emorec import __version__
from lightning_emorec.audio import Recording as AudioRecording
from lightning_emorec.audio import as_stored, mono_blocks
from lightning_emorec.audio.decode import SILENCE_PEAK
from lightning_emorec.confidence import Confidence
from lightning_emorec.errors import EmorecError
from lightning_emorec.hashing import short_hash
from lightning_emorec.recognition.embeddings import Embeddings
from lightning_emorec.recognition.find_model import find_model, open_model
from lightning_emorec.recognition.judgement import Judgement, judgements, told
from lightning_emorec.recognition.model import RecognitionModel, Waveform
from lightning_emorec.recognition.options import Options
from lightning_emorec.recognition.reading import blocks_of, opened
from lightning_emorec.recognition.said import PIECE_S, Said
from lightning_emorec.recognition.segment import NO_SPEECH, Segment
from lightning_emorec.recognition.sources import Source, as_file, content_of, cut, source_of
from lightning_emorec.recognition.speakers import first_pass
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

if TYPE_CHECKING:
    from lightning_emorec.recognition.known_speaker import KnownSpeaker

UNCALIBRATED = "the score is not calibrated: the model has no validation clips"
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
        return self._notes(self.model.confidence.get(self.task))

    def _notes(self, confidence: Confidence | None) -> list[str]:
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
        adapt: Literal["none", "recording"] | Sequence[str | Path] = "none",
    ) -> list[Segment]:
        """The segments of a recording: one, unless it is longer than `whole_s`.

        Args:
            source: A file's path, an open binary file, or (time,) or (time, channels) samples.
            rate_hz: Of samples.
            text: What is said, where it is known; else it is transcribed if the model reads text.
            adapt: `recording` adapts to the one speaker of a long recording; paths of other recordings of its speaker
                adapt to that by these too.

        Raises:
            EmorecError: The recording cannot be read, or the model cannot be adapted.
        """
        asked = source_of(source, rate_hz, text)
        if adapt == "none":
            return list(self.judge(asked))
        if isinstance(adapt, str) and adapt != "recording":
            fix = "give adapt a list of paths, even where there is one"
            raise EmorecError("none, recording, or a list of paths", f"adapt={adapt!r}", fix)
        others = [] if isinstance(adapt, str) else [Source(str(path), Path(path)) for path in adapt]
        return list(self.judge(asked, speaker=first_pass(self, [asked, *others])))

    def segments(
        self,
        source: str | Path | BinaryIO | NDArray[np.floating],
        rate_hz: int | None = None,
        text: str | None = None,
    ) -> Iterator[Segment]:
        """As `predict`, each segment as soon as it is known."""
        yield from self.judge(source_of(source, rate_hz, text))

    def judge(
        self, source: Source, embeddings: Embeddings | None = None, speaker: KnownSpeaker | None = None
    ) -> Iterator[Segment]:
        """Label a recording, or a stretch of it.

        Args:
            source: The recording.
            embeddings: Takes those of each segment.
            speaker: What is known of its speaker, by which the answers are adapted.

        Raises:
            EmorecError: The recording cannot be read.
        """
        if isinstance(source.audio, np.ndarray):
            source = replace(source, audio=as_file(source.audio, source.rate_hz))
        chosen = self.options.channel
        if chosen != "each":
            with opened(source, None if chosen == "mix" else chosen) as recording:
                if chosen is None and recording.channels > 1:
                    recording.channel = self.model.channel
                yield from self._judge(source, recording, source.speaker, embeddings, speaker)
            return
        with opened(source, None) as recording:
            channels = recording.channels
        for number in range(channels):
            with opened(source, number) as recording:
                yield from self._judge(source, recording, f"channel {number}", embeddings)

    def _judge(
        self,
        source: Source,
        recording: AudioRecording,
        speaker: str,
        embeddings: Embeddings | None,
        known: KnownSpeaker | None = None,
    ) -> Iterator[Segment]:
        """Label one channel: whole, or in segments if it is long."""
        begun: list[Waveform] = []
        blocks = cut(blocks_of(source, recording), source, RATE_HZ)
        for block in blocks:
            begun.append(block)
            if sum(map(len, begun)) > self.options.whole_s * RATE_HZ:
                yield from self._segments(source, speaker, chain(begun, blocks), embeddings, known)
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
        wanted = embeddings is not None
        (judged,) = judgements(self.model, self.options, [waveform], [text], content, wanted, known)
        yield self._segment(source, (0.0, end), speaker, judged, text, embeddings, known)

    def _segments(
        self,
        source: Source,
        speaker: str,
        blocks: Iterable[Waveform],
        embeddings: Embeddings | None,
        known: KnownSpeaker | None,
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
                yield self._segment(source, (of.start, of.end), speaker, judged, text, embeddings, known)

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
                judgements(self.model, options, samples, texts, content, wanted, known) if windows else []
            )
            for event in events:
                if isinstance(event, Window):
                    last = next(answers)
                    yield from made(stretches.add(event, last.vector))
                elif isinstance(event, SpeechEnd):
                    yield from made(stretches.end_speech(event))
        yield from made(stretches.close(windower.duration))

    def _notes_of(self, known: KnownSpeaker, judged: Judgement | None) -> list[str]:
        """The notes of a clip that is adapted; before all clips of its speaker are known it has none."""
        if not known.closed:
            return []
        confidence = (self.model if judged is None else judged).confidence.get(self.task)
        return [*self._notes(confidence), known.sentence, *known.warnings]

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
        known: KnownSpeaker | None = None,
    ) -> Segment:
        """The segment of a span in s, from the begin of what is judged; None means no speech."""
        start, end = ((source.start or 0.0) + at for at in span)
        notes = self.notes if known is None else self._notes_of(known, judged)
        about = Segment(source.name, start, end, NO_SPEECH, speaker=speaker, text=text, notes=notes)
        about = replace(about, model=self.label, version=self.model.version)
        if judged is None:
            return about
        if embeddings is not None:
            embeddings.add(about, judged.embeddings())
        return told(about, judged, self.model.tasks, self.options)
