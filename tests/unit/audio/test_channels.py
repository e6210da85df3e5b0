from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from lightning_emorec.audio import decode, decode_and_note, open_recording
from lightning_emorec.errors import EmorecError
from tests.unit.audio.media import voice, write_media

RATE_HZ = 16_000
VOICE = voice(1.0, RATE_HZ)
SILENCE = np.zeros_like(VOICE)
HISS = (1e-4 * np.random.default_rng(0).standard_normal(RATE_HZ)).astype(np.float32)


def write(path: Path, *channels: NDArray[np.float32], **how: str) -> Path:
    soundfile.write(path, np.stack(channels, axis=1), RATE_HZ, **({"subtype": "FLOAT"} | how))
    return path


def level_db(audio: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean(audio**2) / np.mean(VOICE**2)))


@pytest.mark.parametrize("other", [SILENCE, HISS], ids=["zeros", "hiss"])
@pytest.mark.parametrize("first", [True, False])
def test_a_silent_channel_does_not_lower_the_level(
    tmp_path: Path, other: NDArray[np.float32], first: bool
) -> None:
    path = write(tmp_path / "a.wav", *((other, VOICE) if first else (VOICE, other)))
    audio, note = decode_and_note(path, RATE_HZ)
    np.testing.assert_array_equal(audio, VOICE)
    assert note.mixed == "1 of 2 channels, for the others are silent"


def test_equal_channels_keep_their_level(tmp_path: Path) -> None:
    audio, note = decode_and_note(write(tmp_path / "a.wav", VOICE, VOICE), RATE_HZ)
    np.testing.assert_array_equal(audio, VOICE)
    assert (note.mixed, round(note.level_db, 9)) == ("the mean of 2 channels", 0)


def test_unrelated_channels_are_averaged_and_the_level_is_noted(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).standard_normal((2, RATE_HZ)).astype(np.float32) * 0.1
    audio, note = decode_and_note(write(tmp_path / "a.wav", *noise), RATE_HZ)
    np.testing.assert_array_equal(audio, noise.mean(axis=0))
    assert note.level_db == pytest.approx(-3, abs=0.1)


@pytest.mark.parametrize("other", [-VOICE, -0.6 * VOICE])
def test_opposite_channels_are_refused_and_one_can_be_taken(
    tmp_path: Path, other: NDArray[np.float32]
) -> None:
    path = write(tmp_path / "a.wav", VOICE, other)
    with pytest.raises(
        EmorecError,
        match=r"2 opposite ones in .*a\.wav, .* dB quieter; set --data\.channel \(of predict: --channel\) to 0",
    ):
        decode(path, RATE_HZ)
    audio, note = decode_and_note(path, RATE_HZ, channel=1)
    np.testing.assert_array_equal(audio, other)
    assert note.mixed == "channel 1 of 2"


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("channel", [-1, 2])
def test_a_channel_that_is_not_there_is_refused(tmp_path: Path, channels: int, channel: int) -> None:
    path = write(tmp_path / "a.wav", *[VOICE] * channels)
    with pytest.raises(EmorecError, match=rf"a channel {channel}; found {channels} in .*a\.wav"):
        decode(path, RATE_HZ, channel)


@pytest.mark.parametrize(
    ("centre", "channels", "how"),
    [
        (2, 6, {"format": "WAV"}),
        (2, 6, {"format": "WAVEX"}),  # with a mask
        (2, 8, {"format": "WAV"}),
        (2, 6, {"format": "FLAC", "subtype": "PCM_16"}),
        (1, 6, {"format": "OGG", "subtype": "VORBIS"}),
    ],
)
def test_the_centre_of_surround_sound_is_taken(
    tmp_path: Path, centre: int, channels: int, how: dict[str, str]
) -> None:
    music = [HISS * 100] * channels
    music[centre] = VOICE
    audio, note = decode_and_note(write(tmp_path / "a.wav", *music, **how), RATE_HZ)
    assert level_db(audio) == pytest.approx(0, abs=0.2)
    assert np.corrcoef(audio, VOICE)[0, 1] > 0.99
    assert note.mixed == f"the centre of {channels} channels"


def test_a_silent_centre_is_not_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", VOICE, VOICE, SILENCE, SILENCE, SILENCE, SILENCE)
    audio, note = decode_and_note(path, RATE_HZ)
    np.testing.assert_array_equal(audio, VOICE)
    assert note.mixed == "2 of 6 channels, for the others are silent"


def test_silence_in_all_channels_is_silence(tmp_path: Path) -> None:
    audio, note = decode_and_note(write(tmp_path / "a.wav", SILENCE, SILENCE), RATE_HZ)
    np.testing.assert_array_equal(audio, SILENCE)
    assert note.silent


def test_a_bad_sample_in_one_channel_is_told(tmp_path: Path) -> None:
    bad = VOICE.copy()
    bad[7] = np.nan
    with pytest.raises(EmorecError, match="1 that are NaN or infinite"):
        decode(write(tmp_path / "a.wav", VOICE, bad), RATE_HZ)


def test_channels_that_pyav_reads_follow_the_same_rule(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.webm", np.stack([voice(), 0 * voice()], axis=1), "libopus")
    with open_recording(path) as recording:
        assert recording.channels == 2
        assert recording.mix.kept == (0,)
