"""The pitch of speakers, by which the suite groups them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torchaudio.functional import detect_pitch_frequency

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.audio import AudioStore, sounds_of, trim_silence
from lightning_emorec.hashing import short_hash
from lightning_emorec.progress import track
from lightning_emorec.types import Clip

BANDS_HZ = (145.0, 190.0)
"""Upper ends of the low and the middle band."""

MOST_CLIPS = 8
RATE_HZ = 8000
LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
SILENCE_DB = 30.0
FRAME_S = 0.01
FRAME = round(FRAME_S * RATE_HZ)
LOUD_DB = 15.0
"""Frames no more than this below the loudest count: vowels, which are voiced."""


def pitch_bands(clips: Sequence[Clip], audio: AudioStore, kept: Path) -> list[str | None]:
    """Band of the speaker of each clip: `low`, `middle` or `high`, with its limits; None without a voiced frame.

    Args:
        clips: The clips.
        audio: Their undegraded audio.
        kept: Folder in which the pitch of speakers is kept.
    """
    own: dict[str, list[Clip]] = {}
    for clip in clips:
        own.setdefault(clip.actor, []).append(clip)
    heard = {actor: _spread(of) for actor, of in own.items()}
    files = {actor: short_hash([clip.id for clip in of]) for actor, of in heard.items()}
    file = kept / "pitch.json"
    known: dict[str, float | None] = json.loads(file.read_text(encoding="utf8")) if file.is_file() else {}
    if absent := [actor for actor in heard if files[actor] not in known]:
        for actor in track(absent, "pitch of speakers"):
            known[files[actor]] = speaker_pitch(heard[actor], audio)
        write_atomically(file, json.dumps(known, indent=1) + "\n")
    return [band(known[files[clip.actor]]) for clip in clips]


def speaker_pitch(clips: Sequence[Clip], audio: AudioStore) -> float | None:
    """Median F0 in Hz over the loud frames of clips, by normalised cross-correlation (torchaudio); None for silence."""
    values = []
    for sound in sounds_of(clips):
        speech = trim_silence(audio.at(RATE_HZ).load(sound), RATE_HZ, SILENCE_DB)
        padded = torch.from_numpy(np.pad(speech, (0, max(0, 4000 - len(speech)))))
        f0 = detect_pitch_frequency(
            padded[None], RATE_HZ, FRAME_S, freq_low=int(LOWEST_HZ), freq_high=int(HIGHEST_HZ)
        )[0].numpy()
        power = np.square(padded.numpy()[: len(padded) // FRAME * FRAME].reshape(-1, FRAME)).mean(axis=1)
        frames = min(len(f0), len(power))
        loud = power[:frames] > max(power.max() * 10 ** (-LOUD_DB / 10), 1e-10)
        values.append(f0[:frames][loud])
    voices = np.concatenate(values)
    return float(np.median(voices)) if len(voices) else None


def band(hz: float | None) -> str | None:
    """The band of a pitch."""
    if hz is None:
        return None
    low, middle = BANDS_HZ
    if hz <= low:
        return f"low (≤ {low:g} Hz)"
    return f"middle (≤ {middle:g} Hz)" if hz <= middle else f"high (> {middle:g} Hz)"


def _spread(clips: Sequence[Clip]) -> list[Clip]:
    """No more than a few clips, spread evenly over all."""
    places = np.unique(np.linspace(0, len(clips) - 1, MOST_CLIPS).round().astype(int))
    return [clips[place] for place in places]
