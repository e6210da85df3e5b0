"""Means and deviations of librosa's features, as many courses on speech emotion recognition take them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.audio import AudioStore
from lightning_emorec.features.feature import Options, Value
from lightning_emorec.features.functionals import Functionals
from lightning_emorec.features.parallel import Sound, over_clips
from lightning_emorec.types import Clip

_RATE_HZ = 16000
_WINDOW = 2048  # samples; librosa's defaults, here and below
_HOP = 512
_MFCC, _CHROMA, _MELS, _CONTRAST, _TONNETZ = 40, 12, 128, 7, 6


class LibrosaStatistics(Functionals):
    """Mean and standard deviation over time of 193 numbers a frame: 386 in all.

    40 MFCC, 12 chroma, 128 mel powers, 7 spectral contrasts, and 6 tonnetz of the harmonic part. All come
    from one short-time Fourier transform, tonnetz too, whose usual constant-Q transform is slower; chroma
    assumes standard tuning, as speech is not tuned. A clip that is shorter than a window of 0.128 s is
    followed by silence up to that length.
    """

    name: ClassVar[str] = "librosa"
    activity: ClassVar[str] = "running librosa"

    @property
    def size(self) -> int:
        """386."""
        return 2 * (_MFCC + _CHROMA + _MELS + _CONTRAST + _TONNETZ)

    def options(self) -> Options:
        """The sizes, and the version of librosa."""
        return {
            "librosa": version("librosa"),
            "window": _WINDOW,
            "hop": _HOP,
            "mfcc": _MFCC,
            "mels": _MELS,
            "contrast": _CONTRAST,
        }

    def compute(self, clips: Sequence[Clip], audio: AudioStore) -> Iterator[Value]:
        """Yield (386,) of each clip, over all cores."""
        yield from over_clips(_statistics, clips, audio.at(_RATE_HZ))


def _statistics(sound: Sound) -> NDArray[np.float32]:
    """(386,) from (time,): means, then standard deviations."""
    frames = _frames(np.pad(sound, (0, max(0, _WINDOW - len(sound)))))
    return np.concatenate([frames.mean(axis=1), frames.std(axis=1)]).astype(np.float32)


def _frames(sound: Sound) -> NDArray[np.float64]:
    """(193, frames) from (time,)."""
    import librosa
    from librosa.decompose import hpss

    magnitude = np.abs(librosa.stft(sound, n_fft=_WINDOW, hop_length=_HOP))  # (1025, frames)
    harmonic, _ = hpss(magnitude)
    mel = librosa.feature.melspectrogram(S=magnitude**2, sr=_RATE_HZ, n_mels=_MELS)
    parts = [
        librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=_MFCC),
        librosa.feature.chroma_stft(S=magnitude**2, sr=_RATE_HZ, tuning=0.0),
        mel,
        librosa.feature.spectral_contrast(S=magnitude, sr=_RATE_HZ, n_bands=_CONTRAST - 1),
        librosa.feature.tonnetz(
            chroma=librosa.feature.chroma_stft(S=harmonic**2, sr=_RATE_HZ, tuning=0.0), sr=_RATE_HZ
        ),
    ]
    return np.concatenate(parts).astype(np.float64)
