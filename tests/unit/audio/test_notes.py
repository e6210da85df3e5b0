from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lightning_emorec.audio import AudioStore, DigestIndex, counted, decode
from lightning_emorec.hashing import sha256_of
from tests.unit.audio.conftest import RATE_HZ
from tests.unit.audio.media import voice

VOICE = voice(1.0, RATE_HZ)


@pytest.fixture
def stereo(tmp_path: Path) -> Path:
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([VOICE, 0.5 * VOICE], axis=1), RATE_HZ, subtype="FLOAT")
    return path


@pytest.fixture
def odd(tmp_path: Path, stereo: Path) -> list[Path]:
    sounds = {"silent": np.zeros(RATE_HZ), "short": VOICE[:960], "clipped": np.clip(20 * VOICE, -1, 1)}
    for name, sound in sounds.items():
        soundfile.write(tmp_path / f"{name}.wav", sound, RATE_HZ)
    return [stereo, *(tmp_path / f"{name}.wav" for name in sounds)]


def test_a_mono_file_keeps_its_digest_and_several_channels_get_another(
    paths: list[Path], stereo: Path, cache: Path
) -> None:
    assert DigestIndex(cache).digests([paths[0], stereo]) == [
        sha256_of(paths[0]),
        f"{sha256_of(stereo)}-mixed",
    ]


def test_an_average_that_was_kept_before_is_not_given_out(stereo: Path, cache: Path) -> None:
    audio = AudioStore(cache, RATE_HZ)
    audio.prepare([stereo])
    (kept,) = (cache / f"audio-{RATE_HZ}").glob("*/*-mixed.pcm")
    old = kept.with_name(kept.name.replace("-mixed", ""))
    old.write_bytes(b"an average")
    np.testing.assert_allclose(AudioStore(cache, RATE_HZ).load(stereo), 0.75 * VOICE, atol=1e-4)


def test_a_chosen_channel_has_its_own_digest_and_entry(stereo: Path, cache: Path) -> None:
    stores = [AudioStore(cache, RATE_HZ, channel) for channel in (None, 0, 1)]
    for store, level in zip(stores, (0.75, 1.0, 0.5), strict=True):
        np.testing.assert_allclose(store.load(stereo), level * VOICE, atol=1e-4)
    assert len({store.digests([stereo])[0] for store in stores}) == 3
    assert stores[1].at(8000).channel == 0
    assert stores[1].at(8000).digests([stereo]) == stores[1].digests([stereo])


def test_what_was_done_is_counted(odd: list[Path], paths: list[Path], cache: Path) -> None:
    audio = AudioStore(cache, RATE_HZ)
    audio.prepare([*odd, *paths[:1]])
    notes = audio.notes([*odd, *paths[:1]])
    assert list(notes) == [*odd, *paths[:1]]
    assert counted(notes.values()) == {
        "the mean of 2 channels": 1,
        "silent": 1,
        "shorter than 0.1 s": 1,
        "clipped": 1,
    }


def test_notes_outlive_the_process_and_files_without_are_decoded_again(
    odd: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    AudioStore(cache, RATE_HZ).prepare(odd)
    notes = AudioStore(cache, RATE_HZ).notes(odd)
    (cache / "notes.sqlite").unlink()
    assert AudioStore(cache, RATE_HZ).notes(odd) == notes
    monkeypatch.setattr("lightning_emorec.audio.store.decode_and_note", None)
    assert AudioStore(cache, RATE_HZ).notes(odd) == notes


def test_files_that_cannot_be_used_have_no_notes(odd: list[Path], cache: Path) -> None:
    odd[0].write_text("not audio")
    gone = odd[0].with_name("gone.wav")
    assert list(AudioStore(cache, RATE_HZ).notes([*odd, gone])) == odd[1:]


def test_one_content_under_two_names_has_one_note(odd: list[Path], cache: Path) -> None:
    copy = Path(shutil.copy(odd[1], odd[1].with_name("copy.wav")))
    notes = AudioStore(cache, RATE_HZ).notes([odd[1], copy])
    assert notes[copy] == notes[odd[1]]
    assert decode(copy, RATE_HZ).shape == (RATE_HZ,)
