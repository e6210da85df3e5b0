"""What a recording went through on its way: a telephone, a codec."""

from __future__ import annotations

import io
from typing import ClassVar

import numpy as np
import soundfile
import soxr
from audiomentations import BandPassFilter

from lightning_emorec.augment import augment
from lightning_emorec.commands.stress.degradation import Degradation, Heard, Sound

TELEPHONE_RATE_HZ = 8000
LOWEST_HZ, HIGHEST_HZ = 300.0, 3400.0
ROLLOFF_DB = 48  # an octave

CODEC_RATE_HZ = 16000  # encoders bring speech down to it at low bit rates
LEAST_KBITS, MOST_KBITS = 8, 160  # of an MP3 at that rate
CODEC_DELAY = 1105  # samples by which an MP3 is late where it has no room to tell its decoder: 576 + 529


class Telephone(Degradation):
    """The band of a telephone, 300 to 3400 Hz, sampled at 8 kHz."""

    name: ClassVar[str] = "telephone"
    title: ClassVar[str] = "Telephone band, 300-3400 Hz"
    unit: ClassVar[str] = "kHz"
    severities: ClassVar[tuple[float, ...]] = (TELEPHONE_RATE_HZ / 1000,)

    def apply(self, heard: Heard, severity: float) -> Sound:
        """Filter, and resample down and back up."""
        centre = (LOWEST_HZ + HIGHEST_HZ) / 2
        width = (HIGHEST_HZ - LOWEST_HZ) / centre
        band = BandPassFilter(centre, centre, width, width, ROLLOFF_DB, ROLLOFF_DB, p=1.0)
        narrow = augment(heard.audio, [band], heard.rate_hz, heard.seed)
        low = resample(narrow, heard.rate_hz, round(1000 * severity))
        return fit(resample(low, round(1000 * severity), heard.rate_hz), len(heard.audio))


class Mp3(Degradation):
    """An MP3 at 16 kHz and a constant bit rate, by libsndfile's LAME.

    Not audiomentations' `Mp3Compression`, whose encoders are packages of their own.
    """

    name: ClassVar[str] = "mp3"
    title: ClassVar[str] = "MP3"
    unit: ClassVar[str] = "kbit/s"
    severities: ClassVar[tuple[float, ...]] = (64.0, 32.0, 16.0, 8.0)

    def apply(self, heard: Heard, severity: float) -> Sound:
        """Encode and decode."""
        audio = resample(heard.audio, heard.rate_hz, CODEC_RATE_HZ)
        scale = np.float32(max(1.0, float(np.abs(audio).max(initial=0.0))))  # the encoder clips beyond 1
        # libsndfile takes a level in 0..1 for the bit rate, and refuses its own end.
        level = min(0.999, (MOST_KBITS - severity) / (MOST_KBITS - LEAST_KBITS))
        file = io.BytesIO()
        soundfile.write(
            file,
            audio / scale,
            CODEC_RATE_HZ,
            format="MP3",
            subtype="MPEG_LAYER_III",
            compression_level=level,
            bitrate_mode="CONSTANT",
        )
        file.seek(0)
        decoded: Sound = soundfile.read(file, dtype="float32")[0] * scale
        if len(decoded) > len(audio):
            decoded = decoded[CODEC_DELAY:]
        return fit(resample(decoded, CODEC_RATE_HZ, heard.rate_hz), len(heard.audio))


def resample(audio: Sound, from_hz: int, to_hz: int) -> Sound:
    """(time',) of the same sound at another rate."""
    if from_hz == to_hz:
        return audio
    changed: Sound = soxr.resample(audio, from_hz, to_hz)
    return changed


def fit(audio: Sound, samples: int) -> Sound:
    """(samples,): what resampling or a codec has put at the end goes, what it has cut there is silence."""
    return np.pad(audio[:samples], (0, max(0, samples - len(audio))))
