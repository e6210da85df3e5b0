"""`push` puts an export on the hub, and `predict --ckpt hf:` takes it from there; the hub is a stand-in on loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from lightning_emorec.export.check import check_clips
from tests.hub_server import TOKEN, USER, HubServer, Repository, serving
from tests.warm_start import COLD

pytest.importorskip("onnxruntime")

NAME = f"{USER}/voices"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with serving() as found:
        yield found
        assert found.unknown == []


@pytest.fixture
def voice(tmp_path: Path) -> str:
    soundfile.write(tmp_path / "voice.wav", check_clips(16000)["sad voice"], 16000)
    return str(tmp_path / "voice.wav")


def started(hub: HubServer, home: Path, *args: str, token: str = TOKEN) -> tuple[int, str, str]:
    """Exit status, what is printed, and the last line on stderr of a process of its own: it reads HF_ENDPOINT once."""
    given = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_TOKEN": token, "HF_HUB_DISABLE_XET": "1"}
    process = COLD(
        [sys.executable, "-m", "lightning_emorec", *args],
        env={**os.environ, **given, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "NO_PROXY": "127.0.0.1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, told = process.communicate(timeout=120)
    return process.returncode, out, (told.splitlines() or [""])[-1]


def test_what_is_pushed_is_fetched_once_and_judges_as_the_folder(
    hub: HubServer, small_export: Path, voice: str, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    shutil.copytree(small_export, folder)
    (folder / "secret.txt").write_text("mine")
    status, out, told = started(hub, tmp_path, "push", str(folder), NAME, "--revision", "v1")
    assert (status, out.endswith(f": predict --ckpt hf:{NAME}@v1\n")) == (0, True), told
    repository = hub.repositories[NAME]
    assert repository.private
    sent = repository.commits[repository.branches["v1"]]
    assert set(sent) == {
        path.relative_to(small_export).as_posix() for path in small_export.rglob("*") if path.is_file()
    }
    assert sent["model.onnx"] == (folder / "model.onnx").read_bytes()
    judge = ("predict", voice, "-f", "jsonl", "--ckpt")
    status, found, told = started(hub, tmp_path / "home", *judge, f"hf:{NAME}@v1")
    assert (status, found) == (0, started(hub, tmp_path, *judge, str(folder))[1]), told
    with serving() as empty:  # of the cache, without a look at the hub
        offline = started(empty, tmp_path / "home", *judge, f"hf:{NAME}@v1", "--offline")
    assert offline[:2] == (0, found)


def test_a_second_push_changes_no_visibility(hub: HubServer, small_export: Path, tmp_path: Path) -> None:
    assert started(hub, tmp_path, "push", str(small_export), NAME, "--public")[0] == 0
    assert started(hub, tmp_path, "push", str(small_export), NAME)[0] == 0
    assert not hub.repositories[NAME].private


def test_what_the_hub_refuses_is_one_line(
    hub: HubServer, small_export: Path, voice: str, tmp_path: Path
) -> None:
    folder = str(small_export)
    for name, token, words in (
        (NAME, "", "expected a token of the hub that may write; found none"),
        (NAME, "hf_other", "status 401"),
        ("another/voices", TOKEN, "found status 403: You don't have the rights"),
        ("a/b/c", TOKEN, "expected USER/REPO; found a/b/c"),
    ):
        status, _, told = started(hub, tmp_path, "push", folder, name, token=token)
        assert (status, told.startswith("error: expected"), words in told) == (2, True, True), told
    for name, words in ((NAME, "status 404"), ("a/b/c", "hf:USER/REPO")):
        status, _, told = started(hub, tmp_path, "predict", voice, "--ckpt", f"hf:{name}")
        assert (status, told.startswith("error: expected"), words in told) == (2, True, True), told
    hub.repositories[NAME] = Repository(private=False)
    hub.repositories[NAME].commit("main", {"README.md": b"nothing"})
    status, _, told = started(hub, tmp_path, "predict", voice, "--ckpt", f"hf:{NAME}@none")
    assert (status, "status 404" in told) == (2, True), told
    status, _, told = started(hub, tmp_path, "predict", voice, "--ckpt", f"hf:{NAME}")
    assert (status, "expected the folder of an export" in told) == (2, True), told


def test_a_hub_that_cannot_be_reached_is_one_line(small_export: Path, voice: str, tmp_path: Path) -> None:
    nowhere = HubServer()
    nowhere.url = "http://127.0.0.1:9"  # the port of `discard`, which nobody serves
    status, _, told = started(nowhere, tmp_path, "push", str(small_export), NAME)
    assert (status, "check the network" in told) == (2, True), told
    status, _, told = started(nowhere, tmp_path, "predict", voice, "--ckpt", f"hf:{NAME}")
    assert (status, "check the network" in told) == (2, True), told
    status, _, told = started(nowhere, tmp_path, "predict", voice, "--ckpt", f"hf:{NAME}", "--offline")
    assert (status, "leave out --offline" in told) == (2, True), told


def test_another_folder_is_refused(hub: HubServer, small_export: Path, tmp_path: Path) -> None:
    assert "expected the folder of an export" in started(hub, tmp_path, "push", str(tmp_path), NAME)[2]
    changed = tmp_path / "export"
    shutil.copytree(small_export, changed)
    (changed / "model.onnx").write_bytes(b"half")
    assert "found others: model.onnx" in started(hub, tmp_path, "push", str(changed), NAME)[2]
    assert hub.repositories == {}
