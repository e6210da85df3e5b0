from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from lightning_emorec.audio import AudioStore
from lightning_emorec.commands.stress.degradations import SNRS_DB
from lightning_emorec.commands.stress.distortions import add_babble, add_white_noise
from lightning_emorec.commands.stress.recording import Sound, Voices
from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Clip
from tests.unit.commands.stress.conftest import RATE_HZ, recording


def snr_db(clean: Sound, noisy: Sound) -> float:
    noise = noisy.astype(np.float64) - clean
    return float(10 * np.log10(np.square(clean, dtype=np.float64).sum() / np.square(noise).sum()))


@pytest.mark.parametrize("wanted_db", SNRS_DB)
def test_white_noise_has_the_given_snr(speech: Sound, wanted_db: float) -> None:
    noisy = add_white_noise(recording(speech), wanted_db)
    assert snr_db(speech, noisy) == pytest.approx(wanted_db, abs=0.15)  # energy of 40,000 draws


@pytest.mark.parametrize("wanted_db", SNRS_DB)
def test_babble_has_the_given_snr(
    speech: Sound, voices: list[Clip], store: AudioStore, wanted_db: float
) -> None:
    noisy = add_babble(recording(speech, voices=Voices(voices, store)), wanted_db)
    assert snr_db(speech, noisy) == pytest.approx(wanted_db, abs=0.01)


def test_white_noise_is_white(speech: Sound) -> None:
    noise = add_white_noise(recording(speech), 0.0) - speech
    power = np.square(np.abs(np.fft.rfft(noise)))
    bands = [band.mean() for band in np.array_split(power, 8)]
    assert max(bands) < 1.15 * min(bands)


def test_babble_never_holds_the_clips_own_actor(voices: list[Clip], store: AudioStore) -> None:
    others = Voices(voices, store)
    for actor in "abcd":
        for seed in range(50):
            chosen = others.choose(Clip("x", actor, None), np.random.default_rng(seed))
            actors = [clip.actor for clip in chosen]
            assert actor not in actors
            assert len(set(actors)) == len(actors) == 3


def test_babble_is_made_from_several_of_many_actors(tmp_path: Path, store: AudioStore) -> None:
    voices = [Clip(str(actor), str(actor), tmp_path / f"{actor}.wav") for actor in range(20)]
    chosen = Voices(voices, store).choose(Clip("x", "3", None), np.random.default_rng(0))
    assert len(chosen) == 6


def test_babble_of_the_own_actor_alone_is_refused(
    speech: Sound, voices: list[Clip], store: AudioStore
) -> None:
    own = [clip for clip in voices if clip.actor == "a"]
    with pytest.raises(EmorecError, match=r"another actor.*found none but a's own, for clip judged"):
        add_babble(recording(speech, actor="a", voices=Voices(own, store)), 10.0)


def test_voices_of_the_babble_are_equally_loud(tmp_path: Path, store: AudioStore, speech: Sound) -> None:
    time_s = np.arange(RATE_HZ) / RATE_HZ
    voices = []
    for actor, (pitch_hz, level) in {"low": (500, 0.9), "high": (3000, 0.001)}.items():
        soundfile.write(tmp_path / f"{actor}.wav", level * np.sin(2 * np.pi * pitch_hz * time_s), RATE_HZ)
        voices.append(Clip(actor, actor, tmp_path / f"{actor}.wav"))
    noise = add_babble(recording(speech, voices=Voices(voices, store)), 0.0) - speech
    power = np.square(np.abs(np.fft.rfft(noise)))
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE_HZ)
    assert power[hertz < 1500].sum() == pytest.approx(power[hertz >= 1500].sum(), rel=0.1)


def test_a_silent_voice_adds_nothing(tmp_path: Path, store: AudioStore, speech: Sound) -> None:
    soundfile.write(tmp_path / "z.wav", np.zeros(RATE_HZ), RATE_HZ)
    changed = add_babble(recording(speech, voices=Voices([Clip("z", "z", tmp_path / "z.wav")], store)), 0.0)
    np.testing.assert_array_equal(changed, speech)
