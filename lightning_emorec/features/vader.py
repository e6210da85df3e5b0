"""How positive or negative a transcript is, by the words in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.metadata import version
from typing import ClassVar

import torch
from torch import Tensor
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from lightning_emorec.audio import AudioStore
from lightning_emorec.features.feature import Feature, Options, Value
from lightning_emorec.features.transcript import Transcript
from lightning_emorec.types import Clip

VADER_SCORES = ("neg", "neu", "pos", "compound")


class VaderScores(Feature):
    """VADER's four scores (Hutto & Gilbert 2014): shares of negative, neutral and positive, and their sum in -1..1.

    They take 0.1 ms a text, so what is cached is the transcript that they are made from, as its own feature
    caches it: a value is a transcript's value.

    Args:
        transcript: Where the text comes from.
    """

    name: ClassVar[str] = "vader"

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript
        self.from_audio = transcript.from_audio  # type: ignore[misc]
        self.activity = transcript.activity  # type: ignore[misc]

    @property
    def stored_as(self) -> str:
        """The transcript's own name."""
        return self.transcript.stored_as

    def options(self) -> Options:
        """The transcript and the version of the lexicon."""
        return {"transcript": self.transcript.key, "vaderSentiment": version("vaderSentiment")}

    def check_available(self) -> None:
        """Ask for the transcript."""
        self.transcript.check_available()

    def compute(self, clips: Sequence[Clip], audio: AudioStore) -> Iterator[Value]:
        """Yield the transcripts' values."""
        return self.transcript.compute(clips, audio)

    def collate(self, values: Sequence[Value]) -> Tensor:
        """(batch, 4) float32, in the order of `VADER_SCORES`."""
        return torch.tensor([vader_scores(text) for text in self.transcript.collate(values)])


def vader_scores(text: str) -> list[float]:
    """The scores of one text, in the order of `VADER_SCORES`; 0 for a text without words."""
    scores = _analyser().polarity_scores(text)
    return [float(scores[name]) for name in VADER_SCORES]


@lru_cache(maxsize=1)
def _analyser() -> SentimentIntensityAnalyzer:
    return SentimentIntensityAnalyzer()
