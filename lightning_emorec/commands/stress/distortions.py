"""Noise, reverberation, codecs and levels: functions from a recording and a severity to degraded samples."""

from __future__ import annotations

import io

import numpy as np
import soundfile
import soxr
from audiomentations import AddGaussianSNR, BandPassFilter, ClippingDistortion, Gain
from scipy.signal import fftconvolve

from lightning_emorec.audio import trim_silence
from lightning_emorec.augment import augment
from lightning_emorec.commands.stress.recording import MOST_VOICES, Recording, Sound, rms

DECAY = 3 * np.log(10.0)  # after RT60 seconds the amplitude is a thousandth: 60 dB

TELEPHONE_RATE_HZ = 8000
LOWEST_HZ, HIGHEST_HZ = 300.0, 3400.0
ROLLOFF_DB = 48  # an octave

CODEC_RATE_HZ = 16000  # encoders resample speech to this rate at low bit rates
LEAST_KBITS, MOST_KBITS = 8, 160  # of an MP3 at that rate
CODEC_DELAY = (
    1105  # samples of encoder and decoder delay (576 + 529) if an MP3 has no header that states them
)

SILENCE_DB = 30.0  # below the loudest frame: silence at the ends of a babble voice, and before the onset
FRAME_S = 0.01


def add_white_noise(recording: Recording, snr_db: float) -> Sound:
    """Add Gaussian noise at an SNR over the whole clip; the same noise at each SNR, except for its level."""
    noise = AddGaussianSNR(snr_db, snr_db, p=1.0)
    return augment(recording.audio, [noise], recording.rate_hz, recording.seed)


def add_babble(recording: Recording, snr_db: float) -> Sound:
    """Add babble: clips of up to six other actors at equal levels; the same at each SNR, except for its level."""
    return _add_voices(recording, snr_db, np.random.default_rng(recording.seed), MOST_VOICES)


def add_some_voices(recording: Recording, snr_db: float) -> Sound:
    """Add babble as `add_babble` does, of four to seven other actors."""
    draw = np.random.default_rng(recording.seed)
    return _add_voices(recording, snr_db, draw, int(draw.integers(4, 8)))


def _add_voices(recording: Recording, snr_db: float, draw: np.random.Generator, most: int) -> Sound:
    noise = np.zeros(len(recording.audio), dtype=np.float32)
    for clip in recording.voices.choose(recording.clip, draw, most):
        voice = recording.voices.load(clip, recording.rate_hz)
        noise += _excerpt(voice, recording.rate_hz, len(noise), draw)
    return add_at_snr(recording.audio, noise, snr_db)


def add_reverberation(recording: Recording, rt60_s: float) -> Sound:
    """Convolve with a synthetic room response: direct sound, and a noise tail that decays by 60 dB in RT60 seconds.

    After Polack 1988. The tail has the energy of the direct sound, as at the critical distance of a room. The
    response starts with the direct sound and the result is scaled to the clip's level, so that length, onset and
    loudness are kept.
    """
    room = impulse_response(recording.rate_hz, rt60_s, recording.seed)
    wet = fftconvolve(recording.audio.astype(np.float64), room)[: len(recording.audio)]
    level = rms(wet)
    if level == 0:
        return recording.audio
    return np.asarray(wet * (rms(recording.audio) / level), dtype=np.float32)


def by_telephone(recording: Recording, rate_khz: float) -> Sound:
    """Apply the telephone band of 300 to 3400 Hz, and resample down to the telephone's rate and back."""
    centre = (LOWEST_HZ + HIGHEST_HZ) / 2
    width = (HIGHEST_HZ - LOWEST_HZ) / centre
    band = BandPassFilter(centre, centre, width, width, ROLLOFF_DB, ROLLOFF_DB, p=1.0)
    narrow = augment(recording.audio, [band], recording.rate_hz, recording.seed)
    low = resample(narrow, recording.rate_hz, round(1000 * rate_khz))
    return fit_length(resample(low, round(1000 * rate_khz), recording.rate_hz), len(recording.audio))


def as_mp3(recording: Recording, kbits: float) -> Sound:
    """Encode and decode as MP3 at 16 kHz and a constant bit rate, with LAME in libsndfile.

    audiomentations' `Mp3Compression` would need further packages.
    """
    audio = resample(recording.audio, recording.rate_hz, CODEC_RATE_HZ)
    scale = np.float32(max(1.0, float(np.abs(audio).max(initial=0.0))))  # the encoder clips beyond 1
    # libsndfile maps a level in [0, 1) to the bit rate, and refuses 1.
    level = min(0.999, (MOST_KBITS - kbits) / (MOST_KBITS - LEAST_KBITS))
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
    return fit_length(resample(decoded, CODEC_RATE_HZ, recording.rate_hz), len(recording.audio))


def clip_peaks(recording: Recording, percent: float) -> Sound:
    """Clip a percentage of the samples, half of them at either side, to the level of the others."""
    clip = ClippingDistortion(round(percent), round(percent), p=1.0)
    return augment(recording.audio, [clip], recording.rate_hz, recording.seed)


def change_level(recording: Recording, gain_db: float) -> Sound:
    """Change the level; nothing is clipped beyond full scale."""
    return augment(recording.audio, [Gain(gain_db, gain_db, p=1.0)], recording.rate_hz, recording.seed)


def truncate(recording: Recording, seconds: float) -> Sound:
    """Keep the silence before the onset of speech and a number of seconds after it."""
    start = onset(recording.audio, recording.rate_hz)
    return recording.audio[: start + max(1, round(seconds * recording.rate_hz))]


def add_at_snr(audio: Sound, noise: Sound, snr_db: float) -> Sound:
    """Add (time,) noise, scaled to an SNR; silent noise adds nothing."""
    level = rms(noise)
    if level == 0:
        return audio
    scale = rms(audio) / level / 10 ** (snr_db / 20)
    return np.asarray(audio + np.float32(scale) * noise, dtype=np.float32)


def _excerpt(voice: Sound, rate_hz: int, samples: int, draw: np.random.Generator) -> Sound:
    """(samples,) of a voice without silent ends, looped from a random start, with an RMS of 1."""
    spoken = trim_silence(voice, rate_hz, SILENCE_DB)
    start = int(draw.integers(len(spoken)))
    looped = np.resize(np.roll(spoken, -start), samples)
    level = rms(looped)
    return looped / np.float32(level) if level > 0 else looped


def impulse_response(rate_hz: int, rt60_s: float, seed: int) -> Sound:
    """(1 + RT60 in samples,): the direct sound (1), and a tail with an energy of 1."""
    time_s = np.arange(1, 1 + round(rt60_s * rate_hz)) / rate_hz
    tail = np.random.default_rng(seed).standard_normal(len(time_s)) * np.exp(-DECAY * time_s / rt60_s)
    return np.concatenate([[1.0], tail / np.linalg.norm(tail)]).astype(np.float32)


def resample(audio: Sound, from_hz: int, to_hz: int) -> Sound:
    """Resample (time,) to (time',)."""
    if from_hz == to_hz:
        return audio
    changed: Sound = soxr.resample(audio, from_hz, to_hz)
    return changed


def fit_length(audio: Sound, samples: int) -> Sound:
    """Cut or pad with silence at the end to (samples,)."""
    return np.pad(audio[:samples], (0, max(0, samples - len(audio))))


def onset(audio: Sound, rate_hz: int) -> int:
    """Start of the first frame of 10 ms that is at most 30 dB below the loudest frame; 0 in silence."""
    frame = round(FRAME_S * rate_hz)
    frames = audio[: len(audio) // frame * frame].reshape(-1, frame)  # (frames, frame)
    energy = np.einsum("fs,fs->f", frames, frames)
    loud = energy >= energy.max(initial=0.0) * 10 ** (-SILENCE_DB / 10)
    return int(loud.argmax()) * frame if loud.size else 0
