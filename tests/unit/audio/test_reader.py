from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from lightning_emorec.audio import DigestIndex, MonoReader, decode, mono_blocks, open_recording, reader
from lightning_emorec.audio.av_decoder import pyav_is_installed
from lightning_emorec.errors import EmorecError
from lightning_emorec.hashing import sha256_of
from tests.unit.audio.media import RATE_HZ, voice, write_media


def without_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "pyav_is_installed", lambda: False)


NOISE = (0.1 * np.random.default_rng(0).standard_normal(4 * 16_000)).astype(np.float32)


def mp3_without_length(folder: Path, audio: NDArray[np.float32] = NOISE, mode: str = "CONSTANT") -> bytes:
    """Frames of an MP3 without the one that counts them."""
    path = folder / "counted.mp3"
    with soundfile.SoundFile(
        path, "w", 16_000, 1, format="MP3", bitrate_mode=mode, compression_level=0.5
    ) as file:
        file.write(audio)
    raw = path.read_bytes()
    start = raw.index(b"\xff\xf3")
    second = raw.index(raw[start : start + 2], start + 100)
    assert {"CONSTANT": b"Info", "VARIABLE": b"Xing"}[mode] in raw[start:second]
    return raw[second:]


def id3(size: int) -> bytes:
    return b"ID3\x03\x00\x00" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0)) + bytes(size)


@pytest.mark.parametrize(
    ("name", "codec", "rate_hz"),
    [
        ("a.m4a", "aac", 48_000),
        ("a.mp4", "aac", 48_000),
        ("a.webm", "libopus", 48_000),
        ("a.aac", "aac", 48_000),
        ("a.avi", "pcm_s16le", 44_100),
    ],
)
def test_what_telephones_and_browsers_record_is_read(
    tmp_path: Path, name: str, codec: str, rate_hz: int
) -> None:
    path = write_media(tmp_path / name, voice(rate_hz=rate_hz)[:, None], codec, rate_hz)
    audio = decode(path, 16_000)
    assert 2 <= len(audio) / 16_000 < 2.1
    assert np.sqrt(np.mean(audio**2)) == pytest.approx(np.sqrt(np.mean(voice() ** 2)), rel=0.05)


@pytest.mark.parametrize("name", ["a.amr", "a.3gp"])
def test_the_telephone_s_own_codec_is_read(tmp_path: Path, name: str) -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed (extra media)")
    if "libopencore_amrnb" not in av.codecs_available:
        pytest.skip("this PyAV writes no AMR")
    path = write_media(tmp_path / name, voice(rate_hz=8_000)[:, None], "libopencore_amrnb", 8_000)
    audio = decode(path, 16_000)
    assert 2 <= len(audio) / 16_000 < 2.1
    assert 0.5 < np.sqrt(np.mean(audio**2)) / np.sqrt(np.mean(voice() ** 2)) < 1.5  # it is made for speech


@pytest.mark.parametrize(
    ("name", "codec", "kind"),
    [("a.m4a", "aac", "an MPEG-4"), ("a.webm", "libopus", "a WebM"), ("a.avi", "pcm_s16le", "an AVI")],
)
def test_without_pyav_the_file_is_named_and_the_extra_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, codec: str, kind: str
) -> None:
    path = write_media(tmp_path / name, voice()[:, None], codec).rename(tmp_path / "a.wav")
    without_pyav(monkeypatch)
    with pytest.raises(EmorecError, match=rf"a\.wav, {kind} file; .*pip install 'lightning-emorec\[media\]'"):
        decode(path, 16_000)


@pytest.mark.parametrize("subtype", ["GSM610", "ALAW", "ULAW", "IMA_ADPCM", "PCM_24", "FLOAT"])
def test_every_kind_of_wav_is_read(tmp_path: Path, subtype: str) -> None:
    soundfile.write(tmp_path / "a.wav", voice(2.0, 8000), 8000, subtype=subtype)
    assert len(decode(tmp_path / "a.wav", 8000)) == pytest.approx(16_000, abs=320)


@pytest.mark.parametrize("has_pyav", [True, False])
@pytest.mark.parametrize(
    ("before", "behind"), [(b"", b""), (id3(5000), b""), (id3(300_000), b""), (b"", id3(2000))]
)
def test_an_mp3_that_does_not_say_its_length_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_pyav: bool, before: bytes, behind: bytes
) -> None:
    if has_pyav:
        pytest.importorskip("av", reason="PyAV is not installed (extra media)")
    else:
        without_pyav(monkeypatch)
    (tmp_path / "a.mp3").write_bytes(before + mp3_without_length(tmp_path) + behind)
    assert 3.9 < len(decode(tmp_path / "a.mp3", 16_000)) / 16_000 < 4.2


def test_an_mp3_of_variable_bit_rate_is_read_to_its_end_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = np.concatenate([3 * NOISE, *[0.01 * NOISE] * 4])
    (tmp_path / "a.mp3").write_bytes(mp3_without_length(tmp_path, audio, "VARIABLE"))
    (digest,) = DigestIndex(tmp_path).digests([tmp_path / "a.mp3"])
    assert digest == f"{sha256_of(tmp_path / 'a.mp3')}-whole"  # for those that were cut when they were kept
    if pyav_is_installed():
        assert 20 <= len(decode(tmp_path / "a.mp3", 16_000)) / 16_000 < 20.2
    without_pyav(monkeypatch)
    for source in (tmp_path / "a.mp3", io.BytesIO((tmp_path / "a.mp3").read_bytes())):
        with (
            pytest.raises(
                EmorecError, match=r"of which libsndfile reads 8\.\d s .*lightning-emorec\[media\]"
            ),
            open_recording(source, name="a.mp3") as recording,
        ):
            list(recording.blocks())


def test_zeros_behind_an_mp3_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra media)")
    (tmp_path / "a.mp3").write_bytes(mp3_without_length(tmp_path) + bytes(2000))
    assert 3.9 < len(decode(tmp_path / "a.mp3", 16_000)) / 16_000 < 4.2
    assert "1 packets are no audio or damaged" in caplog.text


def test_a_webm_that_breaks_off_is_read_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_media(tmp_path / "a.webm", voice()[:, None], "libopus")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert len(decode(path, 16_000)) < 30_000
    assert "of 2.0 s: is it whole?" in caplog.text


def test_a_video_without_sound_is_one_line(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed (extra media)")
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, width=64, height=64, pix_fmt="yuv420p")
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(EmorecError, match=r"expected audio; found no audio track in .*a\.mp4"):
        decode(tmp_path / "a.mp4", 16_000)


def test_a_flac_that_does_not_say_its_length_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", voice(), RATE_HZ)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] &= 0xF0  # the count of samples, 36 bits of the stream's description
    content[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(content)
    assert len(decode(tmp_path / "a.flac", RATE_HZ)) == len(voice())


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match=rf"expected an audio file; found a folder {tmp_path}"):
        decode(tmp_path, 16_000)


def test_bytes_of_no_kind_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(EmorecError, match=r"a\.wav cannot be read \(") as caught:
        decode(tmp_path / "a.wav", 16_000)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.m4a"])
@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 48_000])
def test_blocks_of_any_length_give_the_same_samples(tmp_path: Path, name: str, rate_hz: int) -> None:
    audio = np.stack([voice(), 0.5 * voice()], axis=1)
    path = tmp_path / name
    if name == "a.m4a":
        write_media(path, audio, "aac")
    else:
        soundfile.write(path, audio, RATE_HZ)
    with open_recording(path) as recording:
        whole, *others = (
            np.concatenate(list(mono_blocks(recording, rate_hz, seconds))) for seconds in (99, 0.01, 0.3, 1)
        )
    for other in others:
        np.testing.assert_array_equal(other, whole)


def test_blocks_have_the_length_asked_for(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.stack([voice(), voice()], axis=1), RATE_HZ)
    with open_recording(tmp_path / "a.flac") as recording:
        assert (recording.rate_hz, recording.channels) == (RATE_HZ, 2)
        assert recording.name == str(tmp_path / "a.flac")
        blocks = list(recording.blocks(0.3))
    assert [block.shape for block in blocks] == [(14_400, 2)] * 6 + [(9600, 2)]
    np.testing.assert_allclose(np.concatenate(blocks)[:, 0], voice(), atol=1e-4)


@pytest.mark.parametrize("name", ["a.wav", "a.webm"])
def test_a_file_that_is_open_is_read_from_where_it_is(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.wav":
        soundfile.write(path, voice(), RATE_HZ)
    else:
        write_media(path, voice()[:, None], "libopus")
    file = io.BytesIO(b"before" + path.read_bytes())
    file.seek(6)
    with open_recording(file, name="the input") as recording:
        for _ in range(2):
            audio = np.concatenate(list(mono_blocks(recording, 16_000)))
            np.testing.assert_array_equal(audio, decode(path, 16_000))


def test_a_pipe_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.stack([voice(), voice()], axis=1), RATE_HZ)
    out, into = os.pipe()

    def write() -> None:
        with os.fdopen(into, "wb") as file:
            file.write((tmp_path / "a.wav").read_bytes())

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(out, "rb") as pipe, open_recording(pipe, name="standard input") as recording:
        audio = np.concatenate(list(mono_blocks(recording, 16_000)))
    writer.join()
    np.testing.assert_array_equal(audio, decode(tmp_path / "a.wav", 16_000))


def test_an_empty_input_is_one_line() -> None:
    with (
        pytest.raises(EmorecError, match="found an empty file standard input"),
        open_recording(io.BytesIO(), name="standard input"),
    ):
        pass


@pytest.mark.parametrize("samples", [1, 10, 960])
@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_a_very_short_recording_is_finite_or_one_line(tmp_path: Path, samples: int, rate_hz: int) -> None:
    soundfile.write(tmp_path / "a.wav", voice()[100 : 100 + samples], rate_hz)
    if (samples, rate_hz) == (1, 44_100):
        with pytest.raises(EmorecError, match="shorter than one sample at 16000 Hz"):
            decode(tmp_path / "a.wav", 16_000)
        return
    audio = decode(tmp_path / "a.wav", 16_000)
    assert len(audio) == pytest.approx(samples * 16_000 / rate_hz, abs=1)
    assert np.isfinite(audio).all()


def test_what_was_read_is_noted(tmp_path: Path) -> None:
    audio = voice(1.0)
    audio[:480] = 1.0
    soundfile.write(tmp_path / "a.wav", audio, RATE_HZ)
    with open_recording(tmp_path / "a.wav") as recording:
        mono = MonoReader(recording, 16_000)
        kept = np.concatenate(list(mono.blocks()))
    note = mono.note()
    assert note.seconds == 1.0
    assert (note.channels, note.mixed, note.level_db) == (1, "", 0.0)
    assert note.clipped == pytest.approx(0.01, abs=1e-4)
    assert note.peak == np.abs(kept).max()
    assert not note.silent
    assert not note.short


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.aiff"])
@pytest.mark.parametrize("with_pyav", [True, False])
def test_a_tag_before_other_files_than_mp3s_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, with_pyav: bool
) -> None:
    if not with_pyav:
        without_pyav(monkeypatch)
    soundfile.write(tmp_path / name, voice(rate_hz=16_000), 16_000)
    tagged = tmp_path / f"tagged_{name}"
    tagged.write_bytes(id3(300) + (tmp_path / name).read_bytes())
    np.testing.assert_array_equal(decode(tagged, 16_000), decode(tmp_path / name, 16_000))
