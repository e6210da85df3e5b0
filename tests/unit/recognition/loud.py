"""A model of speech for tests: what is loud is speech."""

from __future__ import annotations

from typing import Any

import numpy as np

from lightning_emorec.recognition.speech import Samples, SpeechModel


class Loud(SpeechModel):
    """Takes a frame for speech as far as it is loud."""

    def judge(self, frames: Samples, state: Any) -> tuple[Samples, Any]:
        return np.abs(frames[:, 64:]).max(axis=1), state


def frames(*levels: tuple[float, int]) -> Samples:
    """Frames of 512 samples: (level, number) each."""
    return np.concatenate([np.full(512 * count, level, np.float32) for level, count in levels])
