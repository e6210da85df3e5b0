"""What a recogniser asks of a trained model, whichever runtime computes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.confidence import Confidence

if TYPE_CHECKING:
    from lightning_emorec.recognition.unadapted import Unadapted

Waveform = NDArray[np.float32]


@dataclass(frozen=True)
class Answer:
    """What a model says of several waveforms.

    Attributes:
        logits: Task -> (waveforms, classes).
        branches: Branch -> task -> (waveforms, classes); without branches that were given nothing to judge.
        embeddings: Branch -> (waveforms, size), where asked for.
        confidence: Task -> how far the probabilities of these logits go.
        texts: What is said in each waveform; None where no text was used.
        unadapted: What adaptation to a speaker takes of the waveforms; None of a model that is not adapted.
    """

    logits: dict[str, NDArray[np.float32]]
    branches: dict[str, dict[str, NDArray[np.float32]]] = field(default_factory=dict)
    embeddings: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    confidence: Mapping[str, Confidence] = field(default_factory=dict)
    texts: list[str | None] = field(default_factory=list)
    unadapted: Unadapted | None = None


class RecognitionModel(ABC):
    """A trained model that judges waveforms.

    Attributes:
        name: Of the run.
        version: Of the package that made it.
        digest: SHA-256 of its weights.
        rate_hz: Of the waveforms that it takes.
        branches: Names of its branches; none of a model that is no fusion.
        tasks: Task -> classes in logit order; the first is the emotion.
        confidence: Task -> how far its probabilities go; without a task that no validation clip founds.
        reads_text: Whether it judges what is said.
        transcribes: Whether it can find out by itself what is said.
        embeds: Whether it has embeddings.
        synthetic: Whether it was trained on generated voices only.
        channel: Of recordings with several, the one that it was trained on; None means a mix.
        adapts: Whether it can be adapted to a speaker.
        speech_weights: Silero's network where the model brings its own; None means the installed package's.
    """

    name: str
    version: str
    digest: str
    rate_hz: int
    branches: Sequence[str]
    tasks: Mapping[str, Sequence[str]]
    confidence: Mapping[str, Confidence]
    reads_text: bool
    transcribes: bool
    embeds: bool = True
    adapts: bool = False
    synthetic: bool
    channel: int | None = None
    speech_weights: Path | None = None

    @abstractmethod
    def transcribe(self, waveforms: Sequence[Waveform]) -> list[str]:
        """What is said in each waveform, as in training; only where it `transcribes`."""

    @abstractmethod
    def judge(
        self,
        waveforms: Sequence[Waveform],
        texts: Sequence[str] | None = None,
        embeddings: bool = False,
        contents: Sequence[str] | None = None,
    ) -> Answer:
        """Judge waveforms of at least one sample each.

        Args:
            waveforms: (time,) each, at `rate_hz`.
            texts: What is said in each; None leaves out the branches that read text.
            embeddings: Return embeddings too.
            contents: Digest of each waveform's file, from which altered views are drawn as in training; None draws
                the same for all.
        """
