"""Emotion in recordings of any length, by a trained model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.errors import EmorecError
from lightning_emorec.recognition.confidence import Floats
from lightning_emorec.recognition.find_model import find_model, open_model
from lightning_emorec.recognition.model import Answer, RecognitionModel, Waveform
from lightning_emorec.recognition.segment import NO_SPEECH, Segment

UNCALIBRATED = "the score is not calibrated: the model has no validation clips"
SYNTHETIC = "the model was trained on synthetic voices and knows no real ones"


@dataclass(frozen=True)
class Options:
    """How recordings are cut and what is told of them.

    Attributes:
        whole_s: Recordings up to this length, in s, are judged whole; longer ones in windows over their speech.
        window_s: Length of a window in s.
        step_s: From the begin of a window to that of the next in s.
        min_s: Speech shorter than this, in s, is not judged.
        coverage: Share of clips whose right class the prediction sets shall hold.
        branches: Give the probabilities of each branch too.
        tasks: Further tasks to give probabilities of; None of them by default, for sex is inferred of a person.
        channel: Of a recording with several, counted from 0; `each` takes each as a speaker, None mixes them.
    """

    whole_s: float = 15.0
    window_s: float = 4.0
    step_s: float = 2.0
    min_s: float = 0.5
    coverage: float = 0.9
    branches: bool = False
    tasks: Sequence[str] = ()
    channel: int | Literal["each"] | None = None

    def __post_init__(self) -> None:
        for name in ("whole_s", "window_s", "step_s", "min_s"):
            if not 0 < getattr(self, name) < float("inf"):
                raise EmorecError(f"a positive {name}", f"{getattr(self, name)}", f"set --{name}")
        if self.step_s > self.window_s:
            found = f"{self.step_s} above {self.window_s}"
            raise EmorecError("step_s up to window_s", found, "set a smaller --step_s")
        if not 0 < self.coverage < 1:
            raise EmorecError("a coverage between 0 and 1", f"{self.coverage}", "set --coverage, as 0.9")


@dataclass(frozen=True)
class Recording:
    """A recording to be judged.

    Attributes:
        source: A file, an open binary file, or (time,) or (time, channels) samples.
        name: How it is called in the results.
        rate_hz: Of samples.
        start: Begin of the stretch to judge in s; None means the recording's.
        end: End of the stretch in s; None means the recording's.
        speaker: Who speaks.
        text: What is said, if known.
    """

    source: Path | BinaryIO | NDArray[np.floating]
    name: str = ""
    rate_hz: int | None = None
    start: float | None = None
    end: float | None = None
    speaker: str = ""
    text: str | None = None


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
        ckpt: str | None = None,
        options: Options | None = None,
        *,
        runs: str | Path = "runs",
        text: bool = True,
        device: str | None = None,
        threads: int | None = None,
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

        Raises:
            EmorecError: There is no such model, or it cannot be loaded.
        """
        return cls(open_model(find_model(ckpt, Path(runs)), text, device, threads), options)

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
        self, source: str | Path | BinaryIO | NDArray[np.floating], rate_hz: int | None = None, text: str | None = None
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
        self, source: str | Path | BinaryIO | NDArray[np.floating], rate_hz: int | None = None, text: str | None = None
    ) -> Iterator[Segment]:
        """As `predict`, each segment as soon as it is known."""
        if isinstance(source, str | Path):
            yield from self.judge(Recording(Path(source), str(source), text=text))
        else:
            yield from self.judge(Recording(source, rate_hz=rate_hz, text=text))
