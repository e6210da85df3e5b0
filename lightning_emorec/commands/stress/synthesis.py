"""Background sounds made by a program: coughing, sneezing, music and an environment; no recording is used."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

from lightning_emorec.commands.stress.distortions import add_at_snr
from lightning_emorec.commands.stress.recording import Recording, Sound

COUGHS_A_SECOND = 0.7
SNEEZES_A_SECOND = 0.4
SCALE = (0, 2, 4, 7, 9)  # semitones: major pentatonic
LOWEST_NOTE_HZ = 196.0
NOTES_A_SECOND = 3.0


def add_coughing(recording: Recording, snr_db: float) -> Sound:
    """Add synthetic coughs: bursts of noise of 0.3 s with a sharp start, through a vocal tract's resonances."""
    return _add_bursts(recording, snr_db, COUGHS_A_SECOND, 0.3, (400.0, 2500.0), rise_s=0.005)


def add_sneezing(recording: Recording, snr_db: float) -> Sound:
    """Add synthetic sneezes: bursts of high noise of 0.6 s that swell before they break off."""
    return _add_bursts(recording, snr_db, SNEEZES_A_SECOND, 0.6, (1500.0, 6500.0), rise_s=0.25)


def add_music(recording: Recording, snr_db: float) -> Sound:
    """Add synthetic music: plucked notes of a pentatonic scale with six harmonics over a held fifth."""
    draw, rate_hz, samples = _start(recording)
    time_s = np.arange(samples) / rate_hz
    sound = np.zeros(samples)
    for ratio in (0.5, 0.75):
        sound += 0.3 * np.sin(2 * np.pi * ratio * LOWEST_NOTE_HZ * time_s)
    for begin in range(0, samples, max(1, round(rate_hz / NOTES_A_SECOND))):
        note = LOWEST_NOTE_HZ * 2 ** ((draw.choice(SCALE) + 12 * draw.integers(3)) / 12)
        own_s = time_s[: samples - begin]
        for harmonic in range(1, 7):
            if harmonic * note < rate_hz / 2:
                sound[begin:] += np.sin(2 * np.pi * harmonic * note * own_s) * np.exp(-4 * own_s) / harmonic
    return add_at_snr(recording.audio, np.asarray(sound, dtype=np.float32), snr_db)


def add_environment(recording: Recording, snr_db: float) -> Sound:
    """Add a synthetic environment: pink noise that swells as wind and traffic do, mains hum and a few knocks."""
    draw, rate_hz, samples = _start(recording)
    time_s = np.arange(samples) / rate_hz
    swell = 1 + 0.5 * np.sin(2 * np.pi * (draw.uniform(0.1, 0.4) * time_s + draw.uniform()))
    sound = coloured_noise(draw, samples, rate_hz, 30.0) * swell
    sound += 0.2 * np.sin(2 * np.pi * 50 * time_s) + 0.1 * np.sin(2 * np.pi * 100 * time_s)
    for begin in draw.integers(samples, size=1 + samples // rate_hz):
        own_s = time_s[: samples - begin]
        sound[begin:] += 3 * np.exp(-60 * own_s) * np.sin(2 * np.pi * draw.uniform(150, 800) * own_s)
    return add_at_snr(recording.audio, sound.astype(np.float32), snr_db)


def coloured_noise(draw: np.random.Generator, samples: int, rate_hz: int, above_hz: float) -> Sound:
    """(samples,) of pink noise above a frequency, with an RMS of 1; white noise of fewer than three samples."""
    spectrum = np.fft.rfft(draw.standard_normal(samples))
    hz = np.fft.rfftfreq(samples, 1 / rate_hz)
    kept = hz >= min(above_hz, hz[-1])
    pink = np.fft.irfft(spectrum * kept / np.sqrt(np.maximum(hz, 1.0)), samples)
    level = np.sqrt(np.mean(pink**2))
    return np.asarray(pink / level if level > 0 else pink, dtype=np.float32)


def _add_bursts(
    recording: Recording,
    snr_db: float,
    a_second: float,
    length_s: float,
    band_hz: tuple[float, float],
    rise_s: float,
) -> Sound:
    """Add bursts of band-passed noise at random places, at least one; the SNR is over the whole clip."""
    draw, rate_hz, samples = _start(recording)
    sound = np.zeros(samples, dtype=np.float64)
    high = min(band_hz[1], 0.45 * rate_hz)
    band = butter(2, [min(band_hz[0], high / 2), high], btype="bandpass", fs=rate_hz, output="sos")
    time_s = np.arange(max(1, round(length_s * rate_hz))) / rate_hz
    shape = np.minimum(time_s / rise_s, 1.0) * np.exp(-5 * np.maximum(0.0, time_s - rise_s) / length_s)
    for _ in range(max(1, round(a_second * samples / rate_hz))):
        begin = int(draw.integers(max(1, samples - len(time_s) // 2)))
        burst = sosfilt(band, draw.standard_normal(len(time_s))) * shape
        kept = min(len(burst), samples - begin)
        sound[begin : begin + kept] += burst[:kept]
    return add_at_snr(recording.audio, sound.astype(np.float32), snr_db)


def _start(recording: Recording) -> tuple[np.random.Generator, int, int]:
    return np.random.default_rng(recording.seed), recording.rate_hz, len(recording.audio)
