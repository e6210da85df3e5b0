"""The context of a clip in the input of Whisper's encoder."""

from __future__ import annotations

from typing import TypeVar

from torch import Tensor
from torch.nn.functional import pad

from lightning_emorec.errors import EmorecError

RATE_HZ = 16000
WINDOW = 30 * RATE_HZ
"""Samples of the windows that Whisper was trained on, which are the longest that it takes."""
SHORTEST = RATE_HZ // 10
"""A clip of fewer samples is followed by silence up to here."""

FRAME = 320
"""Samples that a state stands for: two mel frames."""

Count = TypeVar("Count", int, Tensor)


def check_margin(margin_s: float | None) -> None:
    """Check the silence after a clip's end."""
    window_s = WINDOW / RATE_HZ
    if margin_s is not None and not 0 <= margin_s <= window_s:
        raise EmorecError(f"margin_s in [0, {window_s:g}], or null", f"{margin_s}", "correct margin_s")


def frames_of(samples: Count) -> Count:
    """States that stand for so many samples."""
    return -(-samples // FRAME)


def context_of(samples: int, margin_s: float | None) -> int:
    """Frames of the context of a clip of so many samples, at most those of 30 s.

    Args:
        samples: Of the clip.
        margin_s: Silence after its end; None fills the window of 30 s.
    """
    context = WINDOW if margin_s is None else samples + round(margin_s * RATE_HZ)
    return frames_of(min(WINDOW, max(context, SHORTEST)))


def log_mel(sound: Tensor, margin_s: float | None, mels: int) -> Tensor:
    """Log-mel spectrum of a clip and the silence after it.

    Args:
        sound: (time,) at 16 kHz, at most 30 s.
        margin_s: Silence after the clip's end; None fills the window of 30 s.
        mels: Mel bands that the model was trained on.

    Returns:
        (mels, 2 * frames).
    """
    import whisper

    samples = FRAME * context_of(len(sound), margin_s)
    spectrum: Tensor = whisper.log_mel_spectrogram(pad(sound, (0, samples - len(sound))), mels)
    return spectrum
