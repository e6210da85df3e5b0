"""Recordings to try the page with: generated voices, because the project has no audio of people."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile

from lightning_emorec.corpora import Synthetic

SEED = 2026
"""Not that of the embedded corpus, so that no demonstration model was trained on these voices."""

EMOTIONS = ("angry", "happy", "sad")
PAUSE_S = 1.5
LONG = "a conversation of 40 s"


def make_examples(folder: Path) -> Mapping[str, Path]:
    """Generate them.

    Args:
        folder: Takes the files.

    Returns:
        What each is -> its file; the last is longer than what is judged whole.
    """
    corpus = Synthetic(str(folder / "voices"), actors=2, repetitions=1, seed=SEED)
    corpus.prepare()
    clips = [clip for clip in corpus.clips() if clip.labels["emotion"] in EMOTIONS]
    found: dict[str, Path] = {}
    for emotion in EMOTIONS:
        clip = next(clip for clip in clips if clip.labels["emotion"] == emotion)
        found[f"{emotion}: “{clip.text}”"] = folder / f"{emotion}.wav"
        shutil.copy(str(clip.path), folder / f"{emotion}.wav")
    parts, rate_hz = [], 0
    draw = np.random.default_rng(SEED)
    for clip in clips:
        samples, rate_hz = soundfile.read(clip.path, dtype="float32")
        parts += [samples, np.zeros(int(PAUSE_S * rate_hz), np.float32)]
    joined = np.concatenate(parts)
    soundfile.write(folder / "conversation.wav", joined + draw.normal(0, 1e-4, len(joined)), rate_hz)
    return {**found, LONG: folder / "conversation.wav"}
