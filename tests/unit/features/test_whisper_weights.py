from __future__ import annotations

import hashlib
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import whisper

from lightning_emorec.errors import EmorecError, UnavailableError
from lightning_emorec.features import whisper_weights
from lightning_emorec.features.whisper_weights import WhisperWeights


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network, and an empty cache of downloads."""

    def refuse(*args: object, **options: object) -> None:
        raise urllib.error.URLError("name resolution failed")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("EMOREC_WHISPER", raising=False)
    whisper_weights._unreachable.cache_clear()


def downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, digest_of: bytes) -> None:
    """Put `content` where the library would have downloaded tiny.en, whose digest is that of `digest_of`."""
    digest = hashlib.sha256(digest_of).hexdigest()
    monkeypatch.setitem(whisper._MODELS, "tiny.en", f"https://host/models/{digest}/tiny.en.pt")
    folder = tmp_path / "xdg" / "whisper"
    folder.mkdir(parents=True)
    (folder / "tiny.en.pt").write_bytes(content)


def test_the_model_is_the_one_given_else_the_environment_s_else_tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    assert WhisperWeights().model == "tiny.en"
    monkeypatch.setenv("EMOREC_WHISPER", "base.en")
    assert WhisperWeights().model == "base.en"
    assert WhisperWeights("small.en").model == "small.en"


def test_a_file_is_told_apart_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"weights")
    assert WhisperWeights(str(path)).identity == f"sha256:{hashlib.sha256(b'weights').hexdigest()}"
    path.write_bytes(b"other weights")
    assert WhisperWeights(str(path)).identity == f"sha256:{hashlib.sha256(b'other weights').hexdigest()}"


def test_a_file_is_hashed_once_a_process(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"weights")
    first = WhisperWeights(str(path)).identity
    stat = path.stat()
    path.write_bytes(b"WEIGHTS")  # of the same size, and put back to the same time: not read again
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert WhisperWeights(str(path)).identity == first


def test_a_named_model_goes_by_its_name() -> None:
    assert WhisperWeights("tiny.en").identity == "tiny.en"


def test_a_file_is_available(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"weights")
    WhisperWeights(str(path)).check_available()


@pytest.mark.parametrize("name", ["nowhere.pt", "folder/nowhere"])
def test_an_absent_file_is_unavailable(name: str) -> None:
    with pytest.raises(UnavailableError, match=f"no file {name}.*EMOREC_WHISPER"):
        WhisperWeights(name).check_available()


def test_an_unknown_name_is_an_error_that_lists_the_names() -> None:
    with pytest.raises(EmorecError, match=r"tiny.en, .*large.*found huge") as caught:
        WhisperWeights("huge").check_available()
    assert not isinstance(caught.value, UnavailableError)


def test_a_downloaded_model_is_available_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    downloaded(tmp_path, monkeypatch, content=b"weights", digest_of=b"weights")
    WhisperWeights("tiny.en").check_available()


def test_a_broken_download_is_not_available_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    downloaded(tmp_path, monkeypatch, content=b"weig", digest_of=b"weights")
    with pytest.raises(UnavailableError):
        WhisperWeights("tiny.en").check_available()


def test_no_file_and_no_network_say_how_to_go_on() -> None:
    with pytest.raises(UnavailableError, match=r"Whisper tiny.en.*name resolution failed.*\$EMOREC_WHISPER"):
        WhisperWeights("tiny.en").check_available()


def test_a_model_within_reach_is_available_and_not_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Answer:
        def __enter__(self) -> None: ...
        def __exit__(self, *exception: object) -> None: ...

    def answer(request: urllib.request.Request, timeout: float) -> Answer:
        asked.append(request.get_method())
        return Answer()

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    WhisperWeights("tiny.en").check_available()
    WhisperWeights("tiny.en").check_available()
    assert asked == ["HEAD"]
    assert not (tmp_path / "xdg").exists()


def test_a_download_that_fails_makes_the_weights_unavailable() -> None:
    with pytest.raises(UnavailableError, match="name resolution failed"):
        WhisperWeights("tiny.en").load()


def load_twice_at_once(monkeypatch: pytest.MonkeyPatch, load_model: Callable[[str], object]) -> None:
    monkeypatch.setattr(whisper, "load_model", load_model)
    with ThreadPoolExecutor(2) as pool:
        for load in [pool.submit(WhisperWeights("tiny.en").load) for _ in range(2)]:
            load.result()


def test_one_downloads_while_another_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = threading.Lock()

    def load_model(name: str) -> None:
        assert alone.acquire(blocking=False)
        time.sleep(0.2)
        alone.release()

    load_twice_at_once(monkeypatch, load_model)


def test_nobody_waits_for_what_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    downloaded(tmp_path, monkeypatch, content=b"weights", digest_of=b"weights")
    both = threading.Barrier(2, timeout=20)
    load_twice_at_once(monkeypatch, lambda name: both.wait())
    assert [path.name for path in (tmp_path / "xdg" / "whisper").iterdir()] == ["tiny.en.pt"]


@pytest.mark.parametrize(("name", "english"), [("tiny.en", True), ("tiny", False), ("large-v3", False)])
def test_a_name_tells_whether_a_model_knows_only_english(name: str, english: bool) -> None:
    assert WhisperWeights(name).is_english_only() is english


def test_a_file_that_is_no_checkpoint_knows_no_language_either(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"weights")
    with pytest.raises(EmorecError, match=r"a Whisper checkpoint; found .*model.pt"):
        WhisperWeights(str(path)).is_english_only()
