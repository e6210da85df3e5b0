"""The suite's small changes, spectral tilt, phone and rooms; what is drawn depends on the recording's seed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Literal

import numpy as np
import soundfile
from audiomentations import HighPassFilter, LowPassFilter
from scipy.signal import fftconvolve

from lightning_emorec.augment import augment
from lightning_emorec.commands.stress.distortions import (
    add_at_snr,
    add_white_noise,
    change_level,
    fit_length,
    impulse_response,
    resample,
)
from lightning_emorec.commands.stress.recording import Recording, Sound, rms
from lightning_emorec.commands.stress.synthesis import coloured_noise

SAMPLES = (100, 500, 1000)
"""Numbers of samples that are added or cut."""

PHONE_RATE_HZ = 8000
FRAME_S = 0.02  # of the compressor's level
COMPRESSED_ABOVE_DB = -20.0  # below the loudest frame
RATIO = 5.0
HISS_DB = -25.0  # of a phone's noise, relative to the speech
HISS_ABOVE_HZ = 1000.0
TILT_DB = 3.0  # an octave
TILT_AROUND_HZ = 1000.0

Codec = Literal["GSM610", "ULAW"]


def draws(recording: Recording) -> np.random.Generator:
    """The generator of a recording."""
    return np.random.default_rng(recording.seed)


def add_tone(recording: Recording, _: float) -> Sound:
    """Add a sine of 5, 6 or 7 kHz at an SNR of 40, 45 or 50 dB."""
    draw = draws(recording)
    hz, snr_db = draw.choice([5000.0, 6000.0, 7000.0]), draw.choice([40.0, 45.0, 50.0])
    time_s = np.arange(len(recording.audio)) / recording.rate_hz
    return add_at_snr(recording.audio, np.sin(2 * np.pi * hz * time_s).astype(np.float32), snr_db)


def add_faint_noise(recording: Recording, _: float) -> Sound:
    """Add white noise at an SNR of 35, 40 or 45 dB."""
    return add_white_noise(recording, float(draws(recording).choice([35.0, 40.0, 45.0])))


def zeros_before(recording: Recording, _: float) -> Sound:
    """Put 100, 500 or 1,000 zeros before the clip."""
    return np.pad(recording.audio, (_samples(recording), 0))


def zeros_after(recording: Recording, _: float) -> Sound:
    """Put 100, 500 or 1,000 zeros after the clip."""
    return np.pad(recording.audio, (0, _samples(recording)))


def crop_start(recording: Recording, _: float) -> Sound:
    """Cut the first 100, 500 or 1,000 samples; at least one is left."""
    return recording.audio[min(_samples(recording), len(recording.audio) - 1) :]


def crop_end(recording: Recording, _: float) -> Sound:
    """Cut the last 100, 500 or 1,000 samples; at least one is left."""
    return recording.audio[: max(1, len(recording.audio) - _samples(recording))]


def clip_few(recording: Recording, _: float) -> Sound:
    """Clip .1, .2 or .3 % of the samples.

    audiomentations' `ClippingDistortion` takes whole percentages.
    """
    share = draws(recording).choice([0.001, 0.002, 0.003])
    highest = np.quantile(np.abs(recording.audio), 1 - share)
    return np.clip(recording.audio, -highest, highest)


def change_gain(recording: Recording, _: float) -> Sound:
    """Change the level by 1 or 2 dB up or down."""
    return change_level(recording, float(draws(recording).choice([-2.0, -1.0, 1.0, 2.0])))


def high_pass(recording: Recording, _: float) -> Sound:
    """Attenuate what is below 50, 100 or 150 Hz."""
    cut = float(draws(recording).choice([50.0, 100.0, 150.0]))
    return augment(recording.audio, [HighPassFilter(cut, cut, p=1.0)], recording.rate_hz, recording.seed)


def low_pass(recording: Recording, _: float) -> Sound:
    """Attenuate what is above 6.5, 7 or 7.5 kHz."""
    cut = float(draws(recording).choice([6500.0, 7000.0, 7500.0]))
    return augment(recording.audio, [LowPassFilter(cut, cut, p=1.0)], recording.rate_hz, recording.seed)


def tilt(recording: Recording, direction: float) -> Sound:
    """Raise (+1) or lower (-1) the spectrum by 3 dB an octave around 1 kHz, and keep the level."""
    spectrum = np.fft.rfft(recording.audio.astype(np.float64))
    hz = np.fft.rfftfreq(len(recording.audio), 1 / recording.rate_hz)
    octaves = np.log2(np.maximum(hz, 20.0) / TILT_AROUND_HZ)
    tilted = np.fft.irfft(spectrum * 10 ** (direction * TILT_DB * octaves / 20), len(recording.audio))
    return at_level_of(tilted.astype(np.float32), recording.audio)


def by_cheap_phone(codec: Codec, recording: Recording, rate_khz: float) -> Sound:
    """Compress, encode and decode at 8 kHz, and add high-passed pink noise.

    The codec is GSM 6.10 or G.711 (mu-law) of libsndfile; AMR needs ffmpeg.
    """
    rate_hz = round(1000 * rate_khz)
    low = resample(compress(recording.audio, recording.rate_hz), recording.rate_hz, rate_hz)
    peak = np.float32(max(1e-9, float(np.abs(low).max(initial=0.0))) / 0.9)
    file = io.BytesIO()
    soundfile.write(file, low / peak, rate_hz, format="WAV", subtype=codec)
    file.seek(0)
    decoded: Sound = soundfile.read(file, dtype="float32")[0] * peak
    heard = fit_length(resample(decoded, rate_hz, recording.rate_hz), len(recording.audio))
    hiss = coloured_noise(draws(recording), len(heard), recording.rate_hz, HISS_ABOVE_HZ)
    return add_at_snr(heard, hiss, -HISS_DB)


def compress(audio: Sound, rate_hz: int) -> Sound:
    """Reduce what is louder than 20 dB below the loudest frame of 20 ms by 5 to 1, and keep the level."""
    frame = max(1, round(FRAME_S * rate_hz))
    window = np.full(frame, 1 / frame)
    power = np.maximum(fftconvolve(audio.astype(np.float64) ** 2, window, mode="same"), 0.0)
    level_db = 10 * np.log10(power + 1e-20)
    above = np.maximum(0.0, level_db - (level_db.max() + COMPRESSED_ABOVE_DB))
    return at_level_of((audio * 10 ** (-above * (1 - 1 / RATIO) / 20)).astype(np.float32), audio)


def in_room(recording: Recording, rt60_s: float, tail_db: float = 0.0) -> Sound:
    """Convolve with the synthetic response of `add_reverberation`, its tail changed by a number of dB.

    A louder tail is a microphone farther away in the same room.
    """
    room = impulse_response(recording.rate_hz, rt60_s, recording.seed).astype(np.float64)
    room[1:] *= 10 ** (tail_db / 20)
    wet = fftconvolve(recording.audio.astype(np.float64), room)[: len(recording.audio)]
    return at_level_of(wet.astype(np.float32), recording.audio)


def at_level_of(audio: Sound, other: Sound) -> Sound:
    """(time,) audio at the RMS level of another; silence stays silence."""
    level = rms(audio)
    return audio if level == 0 else (audio * np.float32(rms(other) / level)).astype(np.float32)


def _samples(recording: Recording, numbers: Sequence[int] = SAMPLES) -> int:
    """A number of samples at 16 kHz, as many at another rate as last as long."""
    return max(1, round(int(draws(recording).choice(numbers)) * recording.rate_hz / 16000))
