"""Ogg files that break off, and MP3s that go on behind what their header counts: read as before, and warned of."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from lightning_emorec.audio import decode, open_recording
from lightning_emorec.audio.kinds import OGG
from lightning_emorec.audio.whole import COUNTED, what_is_missing
from tests.unit.audio.media import voice, write_media
from tests.unit.audio.test_reader import id3

RATE_HZ = 16_000
NOISE = (0.1 * np.random.default_rng(0).standard_normal(4 * RATE_HZ)).astype(np.float32)


def ogg(folder: Path, subtype: str) -> bytes:
    path = folder / "whole.ogg"
    soundfile.write(path, NOISE, RATE_HZ, format="OGG", subtype=subtype)
    return path.read_bytes()


def mp3(folder: Path, audio: NDArray[np.float32] = NOISE, mode: str = "CONSTANT") -> bytes:
    path = folder / "counted.mp3"
    with soundfile.SoundFile(
        path, "w", RATE_HZ, 1, format="MP3", bitrate_mode=mode, compression_level=0.5
    ) as file:
        file.write(audio)
    return path.read_bytes()


def seconds(folder: Path, name: str, content: bytes) -> float:
    (folder / name).write_bytes(content)
    return len(decode(folder / name, RATE_HZ)) / RATE_HZ


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("left_out", [0.5, 10, 3000])
def test_an_ogg_file_that_breaks_off_is_read_and_warned_of(
    tmp_path: Path, subtype: str, left_out: float, caplog: pytest.LogCaptureFixture
) -> None:
    whole = ogg(tmp_path, subtype)
    size = len(whole) - (int(left_out * len(whole)) if left_out < 1 else int(left_out))
    assert 0.5 < seconds(tmp_path, "a.ogg", whole[:size]) < 4
    assert [message.partition("a.ogg")[2] for message in caplog.messages] == [
        " breaks off before the last page of an Ogg file: is it whole?"
    ]


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_whole_ogg_file_is_not_warned_of(
    tmp_path: Path, subtype: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = ogg(tmp_path, subtype)
    for content in (whole, id3(500) + whole, whole + bytes(1000), whole + whole):
        assert seconds(tmp_path, "a.ogg", content) >= 4
    assert caplog.messages == []


@pytest.mark.parametrize(("end", "is_whole"), [(4, True), (0, False)])
def test_the_last_page_of_an_ogg_file_may_be_empty(end: int, is_whole: bool) -> None:
    pages = [
        b"OggS\0" + bytes([flags]) + bytes(20) + bytes([len(of), *of]) for flags, of in ((0, [3]), (end, []))
    ]
    file = io.BytesIO(pages[0] + b"abc" + pages[1])
    assert (what_is_missing(file, OGG) == "") == is_whole


@pytest.mark.parametrize(("name", "codec"), [("a.opus", "libopus"), ("a.ogg", "flac")])
def test_ogg_files_of_another_writer_are_not_warned_of(
    tmp_path: Path, name: str, codec: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_media(tmp_path / name, voice()[:, None], codec)
    assert 1.9 < len(decode(path, RATE_HZ)) / RATE_HZ < 2.1
    assert caplog.messages == []


@pytest.mark.parametrize("between", [b"", b"TAG" + bytes(125), b"TAG" + bytes(125) + id3(3000), id3(3000)])
def test_the_second_of_two_joined_mp3s_is_not_read_and_warned_of(
    tmp_path: Path, between: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = mp3(tmp_path), mp3(tmp_path, NOISE[: 2 * RATE_HZ], "VARIABLE")
    assert seconds(tmp_path, "a.mp3", id3(700) + first + between + second) == pytest.approx(4, abs=0.1)
    (message,) = caplog.messages
    assert "a.mp3 goes on with other MP3 frames than its header counts" in message


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_tags_and_zeros_behind_a_whole_mp3_are_not_warned_of(
    tmp_path: Path, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = mp3(tmp_path, mode=mode)
    behind = (b"", b"TAG" + bytes(125), id3(30_000), id3(30_000) + b"TAG" + bytes(125), bytes(20_000))
    for content in (id3(700) + whole + tag for tag in behind):
        assert seconds(tmp_path, "a.mp3", content) == pytest.approx(4, abs=0.1)
    assert caplog.messages == []


@pytest.mark.parametrize("zeros", [4, 8])
def test_an_mp3_whose_writer_was_interrupted_before_it_counted_is_read_to_its_end(
    tmp_path: Path, zeros: int, caplog: pytest.LogCaptureFixture
) -> None:
    whole = mp3(tmp_path)
    counted = COUNTED.search(whole)
    assert counted is not None
    content = (
        whole[: counted.end() - zeros] + bytes(zeros) + whole[counted.end() :]
    )  # of bytes; of frames too
    assert seconds(tmp_path, "a.mp3", content) == pytest.approx(4, abs=0.1)
    assert caplog.messages == []


def test_an_open_file_is_warned_of_once_however_often_it_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = ogg(tmp_path, "OPUS")
    with open_recording(io.BytesIO(whole[: len(whole) // 2]), name="call") as recording:
        lengths = [sum(map(len, recording.blocks())) for _ in range(2)]
    assert lengths[0] == lengths[1] > 0
    assert caplog.messages == ["call breaks off before the last page of an Ogg file: is it whole?"]
