from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from lightning_emorec.audio import decode
from lightning_emorec.errors import EmorecError

RATE_HZ = 16_000


def tone(hertz: float, rate_hz: int = RATE_HZ, seconds: float = 1.0) -> NDArray[np.float32]:
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def cut(path: Path, part: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    return path


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
def test_every_common_format_is_read(tmp_path: Path, kind: str) -> None:
    soundfile.write(tmp_path / f"a.{kind}", tone(440), RATE_HZ)
    audio = decode(tmp_path / f"a.{kind}", RATE_HZ)
    assert audio.dtype == np.float32
    assert audio.shape == (RATE_HZ,)
    assert np.corrcoef(audio, tone(440))[0, 1] > 0.99


def test_channels_are_averaged(tmp_path: Path) -> None:
    stereo = np.stack([np.full(100, 0.5), np.full(100, 0.25)], axis=1)
    soundfile.write(tmp_path / "a.wav", stereo, RATE_HZ, subtype="FLOAT")
    np.testing.assert_array_equal(decode(tmp_path / "a.wav", RATE_HZ), np.full(100, 0.375, np.float32))


def test_audio_at_the_rate_asked_for_is_not_touched(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440), RATE_HZ, subtype="FLOAT")
    np.testing.assert_array_equal(decode(tmp_path / "a.wav", RATE_HZ), tone(440))


@pytest.mark.parametrize("file_rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_resampling_keeps_a_tone(tmp_path: Path, file_rate_hz: int) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1000, file_rate_hz), file_rate_hz, subtype="FLOAT")
    audio = decode(tmp_path / "a.wav", RATE_HZ)
    assert len(audio) == RATE_HZ
    np.testing.assert_allclose(audio[2000:-2000], tone(1000)[2000:-2000], atol=1e-3)


def test_resampling_removes_what_the_new_rate_cannot_hold(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(12_000, 48_000), 48_000, subtype="FLOAT")
    assert np.abs(decode(tmp_path / "a.wav", RATE_HZ)[2000:-2000]).max() < 1e-4


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match=r"expected an audio file; found no file .*gone\.wav; restore it"):
        decode(tmp_path / "gone.wav", RATE_HZ)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    with pytest.raises(EmorecError, match=r"an empty file .*a\.wav"):
        decode(tmp_path / "a.wav", RATE_HZ)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.raw", "a"])
def test_a_file_that_is_not_audio_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("not audio at all, whatever its name says\n" * 50)
    with pytest.raises(EmorecError, match=rf"{name} cannot be read") as caught:
        decode(tmp_path / name, RATE_HZ)
    assert "\n" not in str(caught.value)


def test_a_flac_file_named_wav_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440), RATE_HZ, format="FLAC")
    assert decode(tmp_path / "a.wav", RATE_HZ).shape == (RATE_HZ,)


@pytest.mark.parametrize("kind", ["wav", "au", "mp3"])
def test_a_file_shorter_than_its_header_says_is_refused(tmp_path: Path, kind: str) -> None:
    soundfile.write(tmp_path / f"a.{kind}", tone(440, seconds=3), RATE_HZ)
    with pytest.raises(
        EmorecError, match=rf"expected 48\d\d\d frames .*; found \d+ in .*a\.{kind}: truncated"
    ):
        decode(cut(tmp_path / f"a.{kind}", 0.5), RATE_HZ)


@pytest.mark.parametrize("kind", ["flac", "ogg"])
def test_a_compressed_file_that_breaks_off_is_refused(tmp_path: Path, kind: str) -> None:
    soundfile.write(tmp_path / f"a.{kind}", tone(440, seconds=3), RATE_HZ)
    with pytest.raises(EmorecError, match=rf"a\.{kind} cannot be read"):
        decode(cut(tmp_path / f"a.{kind}", 0.5), RATE_HZ)


def test_a_wav_written_to_a_pipe_has_no_known_length_and_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440), RATE_HZ)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[4:8] = content[40:44] = struct.pack("<I", 0xFFFFFFFF)  # sizes of RIFF and of data
    (tmp_path / "a.wav").write_bytes(content)
    assert decode(tmp_path / "a.wav", RATE_HZ).shape == (RATE_HZ,)


def test_a_header_that_counts_itself_in_is_forgiven(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440), RATE_HZ)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[40:44] = struct.pack("<I", 2 * RATE_HZ + 44)
    (tmp_path / "a.wav").write_bytes(content)
    assert decode(tmp_path / "a.wav", RATE_HZ).shape == (RATE_HZ,)


def test_a_file_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0), RATE_HZ)
    with pytest.raises(EmorecError, match=r"no samples in .*a\.wav"):
        decode(tmp_path / "a.wav", RATE_HZ)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    audio = tone(440)
    audio[[5, 7]] = bad
    soundfile.write(tmp_path / "a.wav", audio, RATE_HZ, subtype="FLOAT")
    with pytest.raises(EmorecError, match=r"finite samples; found 2 that are NaN or infinite in .*a\.wav"):
        decode(tmp_path / "a.wav", RATE_HZ)


def test_a_recording_below_8_khz_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440, 4000), 4000)
    with pytest.raises(EmorecError, match=r"at least 8000 Hz; found 4000 Hz \(.*a\.wav\)"):
        decode(tmp_path / "a.wav", RATE_HZ)


def test_a_rate_below_8_khz_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440), RATE_HZ)
    with pytest.raises(EmorecError, match=r"at least 8000 Hz; found 4000 Hz \(the rate asked for\)"):
        decode(tmp_path / "a.wav", 4000)


def test_silence_is_valid_and_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(100), RATE_HZ)
    np.testing.assert_array_equal(decode(tmp_path / "a.wav", RATE_HZ), np.zeros(100, np.float32))
    assert [record.message for record in caplog.records] == [
        f"{tmp_path / 'a.wav'} is silent throughout: check the recording"
    ]


def test_quiet_speech_is_not_silence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440) / 1000, RATE_HZ)
    decode(tmp_path / "a.wav", RATE_HZ)
    assert not caplog.records
