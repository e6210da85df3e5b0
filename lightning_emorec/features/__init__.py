"""Slow, fixed quantities of a clip, computed once and cached on disk."""

from lightning_emorec.features.cache import FeatureCache
from lightning_emorec.features.feature import Feature, Options, Value, unique
from lightning_emorec.features.functionals import Functionals, FunctionalSet, functionals_feature
from lightning_emorec.features.librosa_statistics import LibrosaStatistics
from lightning_emorec.features.opensmile import OpenSmileDescriptors, OpenSmileFunctionals
from lightning_emorec.features.parallel import shares_of
from lightning_emorec.features.reader import FeatureReader, LazyValues
from lightning_emorec.features.transcript import (
    ReferenceTranscript,
    Transcript,
    TranscriptFile,
    TranscriptSource,
    transcript_feature,
)
from lightning_emorec.features.vader import VaderScores
from lightning_emorec.features.whisper import WhisperTranscript
from lightning_emorec.features.whisper_states import WhisperStateFrames, WhisperStateStatistics

__all__ = [
    "Feature",
    "FeatureCache",
    "FeatureReader",
    "FunctionalSet",
    "Functionals",
    "LazyValues",
    "LibrosaStatistics",
    "OpenSmileDescriptors",
    "OpenSmileFunctionals",
    "Options",
    "ReferenceTranscript",
    "Transcript",
    "TranscriptFile",
    "TranscriptSource",
    "VaderScores",
    "Value",
    "WhisperStateFrames",
    "WhisperStateStatistics",
    "WhisperTranscript",
    "functionals_feature",
    "shares_of",
    "transcript_feature",
    "unique",
]
