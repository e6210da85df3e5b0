from __future__ import annotations

import errno
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from lightning_emorec.audio import AudioStore, decode, decode_and_note, parallel, store
from lightning_emorec.errors import EmorecError

RATE_HZ = 16_000
HEADER_BYTES = 32


def entries(cache: Path, rate_hz: int = RATE_HZ) -> list[Path]:
    return sorted((cache / f"audio-{rate_hz}").glob("*/*"))


def entry_of(cache: Path, path: Path) -> Path:
    (digest,) = AudioStore(cache, RATE_HZ).digests([path])
    return cache / f"audio-{RATE_HZ}" / digest[:2] / f"{digest}.pcm"


def count_decodings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    decoded: list[Path] = []

    def counted(path: Path, rate_hz: int, channel: int | None) -> Any:
        decoded.append(path)
        return decode_and_note(path, rate_hz, channel)

    monkeypatch.setattr(store, "decode_and_note", counted)
    return decoded


def fill_disk(monkeypatch: pytest.MonkeyPatch, number: int = errno.ENOSPC) -> None:
    """Let every temporary file take ten bytes and no more."""
    original = Path.open

    def limited(path: Path, mode: str = "r", *rest: Any) -> Any:
        file = original(path, mode, *rest)
        if path.suffix != ".unfinished":
            return file
        file.write(b"ten bytes.")
        file.close()
        raise OSError(number, "No space left on device")

    monkeypatch.setattr(Path, "open", limited)


def test_what_is_loaded_is_what_was_decoded(paths: list[Path], cache: Path) -> None:
    audio = AudioStore(cache, RATE_HZ)
    audio.prepare(paths)
    for path in paths:
        original = decode(path, RATE_HZ)
        loaded = audio.load(path)
        assert loaded.dtype == np.float32
        assert np.abs(loaded - original).max() <= 0.51 * np.abs(original).max() / 32767


def test_floats_beyond_full_scale_do_not_clip(tmp_path: Path, cache: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([4.0, -3.0, 2.0] * 100), RATE_HZ, subtype="FLOAT")
    np.testing.assert_allclose(AudioStore(cache, RATE_HZ).load(tmp_path / "a.wav")[:3], [4, -3, 2], rtol=1e-4)


def test_audio_is_decoded_once(paths: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = count_decodings(monkeypatch)
    AudioStore(cache, RATE_HZ).prepare(paths)
    later = AudioStore(cache, RATE_HZ)
    later.prepare(paths)
    for path in paths:
        later.load(path)
    assert sorted(decoded) == paths


def test_load_decodes_what_was_not_prepared(paths: list[Path], cache: Path) -> None:
    audio = AudioStore(cache, RATE_HZ)
    assert len(audio.load(paths[1])) == 2001
    assert entries(cache) == [entry_of(cache, paths[1])]


def test_the_same_content_under_two_names_is_kept_once(
    paths: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = count_decodings(monkeypatch)
    copy = shutil.copy(paths[0], paths[0].with_name("copy.wav"))
    audio = AudioStore(cache, RATE_HZ)
    audio.prepare([paths[0], copy])
    assert len(decoded) == len(entries(cache)) == 1
    np.testing.assert_array_equal(audio.load(copy), audio.load(paths[0]))


def test_another_rate_is_another_entry(paths: list[Path], cache: Path) -> None:
    audio = AudioStore(cache, RATE_HZ)
    other = audio.at(8000)
    audio.prepare(paths)
    other.prepare(paths)
    assert (audio.rate_hz, other.rate_hz) == (RATE_HZ, 8000)
    assert (len(audio.load(paths[0])), len(other.load(paths[0]))) == (2000, 1000)
    assert len(entries(cache)) == len(entries(cache, 8000)) == 4


def test_a_rate_below_8_khz_is_refused(cache: Path) -> None:
    with pytest.raises(EmorecError, match="at least 8000 Hz; found 4000 Hz"):
        AudioStore(cache, 4000)


def shorten(content: bytes) -> bytes:
    return content[:-2]


def empty(content: bytes) -> bytes:
    return content[:0]


def break_header_off(content: bytes) -> bytes:
    return content[: HEADER_BYTES - 1]


def change_magic(content: bytes) -> bytes:
    return b"RIFF" + content[4:]


def change_rate(content: bytes) -> bytes:
    return content[:8] + (22050).to_bytes(4, "little") + content[12:]


def change_sample(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def change_scale(content: bytes) -> bytes:
    return content[:20] + bytes([content[20] ^ 1]) + content[21:]


SHOWN_BY_HEADER = [shorten, empty, break_header_off, change_magic, change_rate]
SHOWN_BY_CHECKSUM = [change_sample, change_scale]


@pytest.mark.parametrize("damage", SHOWN_BY_HEADER)
def test_prepare_makes_a_damaged_entry_anew(
    paths: list[Path], cache: Path, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    audio = AudioStore(cache, RATE_HZ)
    audio.prepare(paths)
    kept = entry_of(cache, paths[2])
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    audio.prepare(paths)
    assert kept.read_bytes() == whole
    assert [str(paths[2]) in record.message for record in caplog.records] == [True]
    assert "decoding" in caplog.text
    assert "damaged" in caplog.text


@pytest.mark.parametrize("damage", SHOWN_BY_HEADER + SHOWN_BY_CHECKSUM)
def test_load_makes_a_damaged_entry_anew(
    paths: list[Path], cache: Path, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    before = AudioStore(cache, RATE_HZ).load(paths[2])
    audio = AudioStore(cache, RATE_HZ)
    audio.prepare(paths)
    kept = entry_of(cache, paths[2])
    kept.write_bytes(damage(kept.read_bytes()))
    np.testing.assert_array_equal(audio.load(paths[2]), before)
    assert "damaged" in caplog.text


def test_load_makes_a_lost_entry_anew(paths: list[Path], cache: Path) -> None:
    audio = AudioStore(cache, RATE_HZ)
    audio.prepare(paths)
    shutil.rmtree(cache)
    assert len(audio.load(paths[0])) == 2000


def test_checksums_are_compared_at_the_first_reading_and_not_before(
    paths: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = AudioStore(cache, RATE_HZ)
    audio.prepare(paths)
    kept = entry_of(cache, paths[0])
    kept.write_bytes(change_sample(kept.read_bytes()))
    decoded = count_decodings(monkeypatch)
    audio.prepare(paths)
    assert not decoded
    audio.load(paths[0])
    assert decoded == [paths[0]]


def test_all_bad_files_are_counted_and_the_good_ones_decoded(paths: list[Path], cache: Path) -> None:
    bad = [paths[0].with_name(f"bad{number}.wav") for number in range(4)]
    for path in bad[:3]:
        path.write_text(f"not audio {path.name}")
    with pytest.raises(EmorecError, match=r"found 4 that are not: .*bad\d\.wav.*; and 1 more; ") as caught:
        AudioStore(cache, RATE_HZ).prepare([bad[0], *paths, *bad[1:]])
    assert "\n" not in str(caught.value)
    assert len(entries(cache)) == 4


def test_each_name_of_a_bad_file_is_said_to_be_unusable(paths: list[Path], cache: Path) -> None:
    other, gone = (paths[1].with_name(name) for name in ("other.wav", "gone.wav"))
    for path in (paths[1], other):
        path.write_text("not audio")
    errors = AudioStore(cache, RATE_HZ).unusable([*paths, other, gone])
    assert errors.keys() == {paths[1], other, gone}
    assert errors[gone].found == f"no file {gone}"
    assert len(entries(cache)) == len(paths) - 1


def test_one_bad_file_is_told_as_it_is(paths: list[Path], cache: Path) -> None:
    paths[1].write_text("not audio")
    with pytest.raises(
        EmorecError, match=r"expected a WAV, FLAC, Ogg or MP3 file; found .*1\.wav cannot be read"
    ):
        AudioStore(cache, RATE_HZ).prepare(paths)


def test_a_missing_file_cannot_be_loaded(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(EmorecError, match=r"found no file .*gone\.wav"):
        AudioStore(cache, RATE_HZ).load(tmp_path / "gone.wav")


def test_silence_is_warned_of_once_a_run(
    tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(500), RATE_HZ)
    for runs in (1, 2):
        audio = AudioStore(cache, RATE_HZ)
        audio.prepare([tmp_path / "a.wav"])
        np.testing.assert_array_equal(audio.load(tmp_path / "a.wav"), np.zeros(500, np.float32))
        assert caplog.text.count("a.wav is silent throughout") == runs


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(50 * RATE_HZ, 0.1), RATE_HZ)  # an entry of 1.6 MB
    fill_disk(monkeypatch)
    expected = rf"about 1\.6 MB more .* in {re.escape(str(cache))}; found a full disk; .*EMOREC_CACHE"
    with pytest.raises(EmorecError, match=expected):
        AudioStore(cache, RATE_HZ).prepare([path])
    with pytest.raises(EmorecError, match=expected):
        AudioStore(cache, RATE_HZ).load(path)
    assert entries(cache) == []


def test_a_disk_that_fills_up_keeps_what_was_decoded(
    paths: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    AudioStore(cache, RATE_HZ).prepare(paths[:2])
    fill_disk(monkeypatch)
    with pytest.raises(EmorecError, match="full disk"):
        AudioStore(cache, RATE_HZ).prepare(paths)
    assert entries(cache) == sorted(entry_of(cache, path) for path in paths[:2])


def test_a_cache_folder_that_cannot_be_written_is_told(paths: list[Path]) -> None:
    with pytest.raises(EmorecError, match=r"a cache folder that can be written; found .*0\.wav \("):
        AudioStore(paths[0], RATE_HZ).prepare(paths)


def test_more_files_than_the_threads_are_given_at_once_are_all_decoded(
    paths: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "AT_ONCE", 3)
    AudioStore(cache, RATE_HZ).prepare(paths)
    assert entries(cache) == sorted(entry_of(cache, path) for path in paths)


def test_an_interruption_keeps_what_was_decoded(
    paths: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path, rate_hz: int, channel: int | None) -> Any:
        if path == paths[3]:
            raise KeyboardInterrupt
        return decode_and_note(path, rate_hz, channel)

    monkeypatch.setattr(store, "decode_and_note", interrupted)
    monkeypatch.setattr(parallel, "MOST_THREADS", 1)  # in order
    with pytest.raises(KeyboardInterrupt):
        AudioStore(cache, RATE_HZ).prepare(paths)
    assert entries(cache) == sorted(entry_of(cache, path) for path in paths[:3])


def test_a_store_pickles_with_what_it_knows(
    paths: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = AudioStore(cache, RATE_HZ)
    audio.prepare(paths)
    copy = pickle.loads(pickle.dumps(audio))
    (cache / "digests.sqlite").unlink()
    np.testing.assert_array_equal(copy.load(paths[0]), audio.load(paths[0]))
    assert not (cache / "digests.sqlite").exists()
