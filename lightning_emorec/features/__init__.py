"""Slow, fixed quantities of a clip, computed once and cached on disk."""

from lightning_emorec.features.cache import FeatureCache
from lightning_emorec.features.feature import Feature, Options, Value
from lightning_emorec.features.reader import FeatureReader
from lightning_emorec.features.transcript import (
    ReferenceTranscript,
    Transcript,
    TranscriptFile,
    TranscriptSource,
    transcript_feature,
)
from lightning_emorec.features.whisper import WhisperTranscript

__all__ = [
    "Feature",
    "FeatureCache",
    "FeatureReader",
    "Options",
    "ReferenceTranscript",
    "Transcript",
    "TranscriptFile",
    "TranscriptSource",
    "Value",
    "WhisperTranscript",
    "transcript_feature",
]
