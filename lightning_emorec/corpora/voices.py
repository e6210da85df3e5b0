"""A source-filter voice: glottal pulses and noise, shaped by the resonances of a vocal tract."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from lightning_emorec.corpora.manners import Manner, Voice
from lightning_emorec.corpora.phones import Segment

RATE_HZ = 16_000

_HOP = 128  # samples; 8 ms
_WINDOW = 256
_FFT = 512
_FREQUENCIES_HZ = np.fft.rfftfreq(_FFT, 1 / RATE_HZ).astype(np.float32)

_JITTER, _SHIMMER = 0.008, 0.05
_BREATH_DB = -26.0
_ACCENT_ST = 2.5
_RMS = 0.03  # of neutral speech, full scale 1
_ROOM_RMS = 0.0003

Array = NDArray[np.float64]
Track = NDArray[np.float32]
Spectra = NDArray[np.complex64]


def speak(voice: Voice, phones: list[Segment], manner: Manner, rng: np.random.Generator) -> Array:
    """Say a sentence.

    The model is Fant's (1960): a Rosenberg (1971) glottal pulse, one period at a time, with jitter, shimmer
    and breath noise, through a cascade of resonators (Klatt 1980) whose formants glide between phones.

    Args:
        voice: The actor.
        phones: The sentence.
        manner: How the actor says it.
        rng: What draws durations, jitter, shimmer and noise.

    Returns:
        (time,) at `RATE_HZ`, within -1..1, with a little silence on both sides.
    """
    hops = _durations(phones, manner, rng)
    pitch_hz = _pitch(voice, phones, manner, hops, rng)
    voiced, noise = _sources(pitch_hz, manner, rng)
    breath = 10 ** ((_BREATH_DB + manner.breath_db) / 20)
    voice_filter, noise_filter = _filters(voice, phones, manner, hops)
    spectra = _frames(voiced + breath * noise) * voice_filter + _frames(noise) * noise_filter
    return _place(_overlap_add(spectra), manner, rng)


def _durations(phones: list[Segment], manner: Manner, rng: np.random.Generator) -> NDArray[np.int64]:
    """Hops of each phone, at least two; accents and the last two phones are drawn out."""
    seconds = np.array([s.duration_s * (1.35 if s.stressed else 1.0) for s in phones])
    seconds[-2:] *= 1.4
    seconds *= np.exp(rng.normal(0.0, 0.1, len(phones)) - manner.tempo)
    return np.maximum(np.rint(seconds * RATE_HZ / _HOP), 2).astype(np.int64)


def _track(targets: Sequence[float | tuple[float, ...]], hops: NDArray[np.int64], width: int) -> Track:
    """Glide between the phones' targets: (hops, dimensions), smoothed by a Hann of `width` hops."""
    steps = np.repeat(np.array(targets, dtype=np.float32).reshape(len(hops), -1), hops, axis=0)
    padded = np.pad(steps, ((width // 2, width // 2), (0, 0)), mode="edge")
    kernel = np.hanning(width + 2)[1:-1].astype(np.float32)
    track: Track = sliding_window_view(padded, width, axis=0) @ (kernel / kernel.sum())
    return track


def _pitch(
    voice: Voice, phones: list[Segment], manner: Manner, hops: NDArray[np.int64], rng: np.random.Generator
) -> Array:
    """(hops,) pitch in Hz: declination, accents, the final movement, tremor and a slow drift."""
    count = int(hops.sum())
    place = np.linspace(0.0, 1.0, count)
    accent_st = max(_ACCENT_ST + manner.accent_st, 0.2)
    accents = [rng.lognormal(0.0, 0.25) if s.stressed and s.voicing > 0.5 else 0.0 for s in phones]
    contour_st = manner.pitch_st - 2.0 * place
    contour_st = contour_st + accent_st * _track(accents, hops, width=21)[:, 0]
    contour_st += manner.final_st * np.clip(3.0 * place - 2.0, 0.0, 1.0)
    time_s = np.arange(count) * _HOP / RATE_HZ
    contour_st += manner.tremor_st * np.sin(2 * np.pi * (6.0 * time_s + rng.random()))
    contour_st += 0.4 * np.sin(2 * np.pi * (rng.uniform(0.5, 1.5) * time_s + rng.random()))
    return np.clip(voice.pitch_hz * 2.0 ** (contour_st / 12), 55.0, 700.0)


def _sources(pitch_hz: Array, manner: Manner, rng: np.random.Generator) -> tuple[Array, Array]:
    """The derivative of glottal flow, and noise, both (time,) with an RMS near 1."""
    samples = len(pitch_hz) * _HOP
    rate = np.interp(np.arange(samples) / _HOP, np.arange(len(pitch_hz)), pitch_hz) / RATE_HZ
    period = np.cumsum(rate).astype(np.int64)
    rough = np.exp(manner.rough)
    jitter = np.clip(1.0 + _JITTER * rough * rng.standard_normal(period[-1] + 1), 0.7, 1.3)
    shimmer = np.clip(1.0 + _SHIMMER * rough * rng.standard_normal(period[-1] + 2), 0.2, 1.8)
    phase = np.cumsum(rate * jitter[period])
    pulse = np.minimum(phase.astype(np.int64), len(shimmer) - 1)
    flow = shimmer[pulse] * _rosenberg(phase % 1.0)
    voiced = np.diff(flow, prepend=0.0) / rate
    return voiced / np.sqrt(np.mean(voiced**2)), rng.standard_normal(samples)


def _rosenberg(phase: Array) -> Array:
    """Glottal flow over one period, 0..1: opens for 40% of it, closes for 16%, stays closed."""
    opening = 0.5 - 0.5 * np.cos(np.pi * phase / 0.4)
    closing = np.cos(0.5 * np.pi * (phase - 0.4) / 0.16)
    return np.where(phase < 0.4, opening, np.where(phase < 0.56, closing, 0.0))


def _filters(
    voice: Voice, phones: list[Segment], manner: Manner, hops: NDArray[np.int64]
) -> tuple[Spectra, Spectra]:
    """(hops, bins) what the glottal source passes through, and what the noise source does."""
    voicing = _track([s.voicing * (1.25 if s.stressed else 1.0) for s in phones], hops, width=5)
    hiss = _track([s.noise if s.noise_hz else 0.0 for s in phones], hops, width=3)
    aspiration = _track([0.0 if s.noise_hz else s.noise for s in phones], hops, width=3)
    centre_hz = _track([s.noise_hz or 3000.0 for s in phones], hops, width=3) * np.float32(voice.tract)
    formants_hz = _track([s.formants_hz for s in phones], hops, width=7) * np.float32(voice.tract)

    tract = _resonance(formants_hz, voice.tract)
    tract *= ((_FREQUENCIES_HZ + 100.0) / 600.0) ** np.float32(manner.tilt_db / 6.02)
    band = np.exp(-0.5 * ((_FREQUENCIES_HZ - centre_hz) / (0.25 * centre_hz + 300.0)) ** 2)
    return tract * voicing, 0.3 * tract * aspiration + 2.0 * band * hiss


def _resonance(formants_hz: Track, tract: float) -> Spectra:
    """(hops, bins) response of a cascade of resonators: three that move and two that stay."""
    fixed = np.tile(np.array([3500.0, 4500.0]) * tract, (len(formants_hz), 1))
    centre_hz = np.concatenate([formants_hz, fixed], axis=1)
    bandwidth_hz = np.array([70.0, 90.0, 130.0, 200.0, 250.0])
    decay = np.exp(-np.pi * bandwidth_hz / RATE_HZ)
    b = (2 * decay * np.cos(2 * np.pi * centre_hz / RATE_HZ)).astype(np.float32)
    c = (-(decay**2)).astype(np.float32)
    delay = np.exp(-2j * np.pi * _FREQUENCIES_HZ / RATE_HZ).astype(np.complex64)
    response = np.ones((len(formants_hz), len(delay)), dtype=np.complex64)
    for k in range(centre_hz.shape[1]):
        response *= 1 - b[:, k, None] * delay - c[k] * delay**2
    gain: Track = np.prod(1 - b - c, axis=1, dtype=np.float32)  # 1 at 0 Hz, whatever the formants
    return gain[:, None] / response


def _frames(signal: Array) -> Spectra:
    """(hops, bins) short-time spectra, one a hop."""
    padded = np.pad(signal.astype(np.float32), _WINDOW // 2)
    window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32) * (2 * _HOP / _WINDOW)
    spectra: Spectra = np.fft.rfft(
        sliding_window_view(padded, _WINDOW)[: len(signal) : _HOP] * window, _FFT
    ).astype(np.complex64, copy=False)
    return spectra


def _overlap_add(spectra: Spectra) -> Array:
    """(time,) from (hops, bins); the filters may ring for `_FFT` - `_WINDOW` samples."""
    blocks = np.fft.irfft(spectra, _FFT).reshape(len(spectra), _FFT // _HOP, _HOP)
    signal = np.zeros((len(spectra) + _FFT // _HOP, _HOP))
    for k in range(_FFT // _HOP):
        signal[k : k + len(spectra)] += blocks[:, k]
    return signal.reshape(-1)


def _place(speech: Array, manner: Manner, rng: np.random.Generator) -> Array:
    """Set the level, put silence on both sides, add the room's noise and keep within -1..1."""
    rms = np.sqrt(np.mean(speech**2))
    gain = _RMS * 10 ** (manner.level_db / 20) / rms
    before, after = (rng.uniform(0.08, 0.2, 2) * RATE_HZ).astype(int)
    placed = np.pad(gain * speech, (before, after))
    placed += _ROOM_RMS * rng.standard_normal(len(placed))
    limited: Array = np.tanh(placed)  # a soft ceiling: a shout is limited, not clipped
    return limited
